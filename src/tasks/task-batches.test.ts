/** Labels that a task does not know: refused for a whole file, in the words of encoding. */
import { describe, expect, test } from "vitest";
import { smallVocabulary } from "../../test/small-model.ts";
import { DataError } from "../errors.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { joinUnits } from "./ner/text-units.ts";
import { expectKnownLabels } from "./task-batches.ts";
import { findTaskDefinition } from "./tasks.ts";

const tokenizer = new BertTokenizer(smallVocabulary);
const text = "我爱北京";
const tagged = (...tags: string[]) => ({ ...joinUnits([..."北京"]), tags });

describe("what is labelled otherwise than the task knows is refused before it is encoded, by the same message", () => {
  test.each([
    ["classify", { labels: ["差", "好"] }, [{ text, label: "好" }, { text }], { text, label: "极好" }],
    ["match", { labels: ["0", "1"] }, [{ text, textPair: text, label: "1" }], { text, textPair: text, label: "2" }],
    ["multilabel", { labels: ["差", "好"] }, [{ text, labels: ["好"] }, { text }], { text, labels: ["好", "贵"] }],
    ["regress", { scoreRange: [0, 5] }, [{ text, score: 5 }, { text }], { text, score: 6 }],
    ["ner", { labels: ["O", "B-LOC", "I-LOC"] }, [tagged("B-LOC", "I-LOC")], tagged("B-PER", "I-PER")],
  ])("%s", (name, settings, known, unknown) => {
    const task = findTaskDefinition(name).create({ task: name, maxSeqLength: 16, ...settings });
    expect(() => expectKnownLabels(task, known)).not.toThrow();
    const refused = () => expectKnownLabels(task, [...known, unknown]);
    expect(refused).toThrow(DataError);
    let message = "";
    try {
      refused();
    } catch (error) {
      message = (error as DataError).message;
    }
    expect(() => task.encode(unknown, tokenizer)).toThrow(message);
  });

  test("a task without labels to know takes all", () => {
    const task = findTaskDefinition("qa").create({ task: "qa", maxSeqLength: 16 });
    expect(() => expectKnownLabels(task, [{ id: "a", context: text, question: text }])).not.toThrow();
  });
});

import { describe, expect, test } from "vitest";
import { BertTokenizer } from "../../text/tokenizer.ts";
import { Vocabulary } from "../../text/vocabulary.ts";
import type { TextExample } from "../examples.ts";
import { dataNotes, emptyNotes, labelCounts } from "./data-advice.ts";
import { inferLabels } from "./labels.ts";
import { tokenNotes } from "./token-advice.ts";

const texts = (count: number, label: string, from = 0): TextExample[] =>
  Array.from({ length: count }, (_, i) => ({ text: `这是第${from + i}句`, label }));
const kinds = (...args: Parameters<typeof dataNotes>) => dataNotes(...args).map(({ kind }) => kind);

test("labels are ordered by number, others by their name, whatever the order of the examples", () => {
  expect(inferLabels(["10", "2", "-1", "2"])).toEqual(["-1", "2", "10"]);
  expect(inferLabels(["b", "10", "a"])).toEqual(["10", "a", "b"]);
  expect(inferLabels(["1", "01", "0"])).toEqual(inferLabels(["01", "0", "1"]));
});

describe("labelled data", () => {
  test("data without anything to say is passed in silence", () => {
    const train = [...texts(20, "0"), ...texts(20, "1", 20)];
    expect(dataNotes("classify", { train, dev: texts(5, "0", 40) })).toEqual([]);
  });

  test("classes are counted by split, in the order of the labels", () => {
    const train = [...texts(3, "1"), ...texts(1, "0", 3)];
    expect(labelCounts("classify", { train, dev: texts(2, "2", 4) }, ["0", "1"])).toEqual({
      splits: ["train", "dev"],
      rows: [
        { label: "0", counts: [1, 0], share: 0.25 },
        { label: "1", counts: [3, 0], share: 0.75 },
        { label: "2", counts: [0, 2], share: 0 },
      ],
    });
    const tagged = { text: "在北京和上海", units: [], tags: ["O", "B-LOC", "I-LOC", "O", "B-LOC", "I-LOC"] };
    expect(labelCounts("ner", { train: [tagged] })?.rows).toEqual([{ label: "LOC", counts: [2], share: 1 }]);
    expect(labelCounts("qa", { train: [] })).toBeUndefined();
  });

  test("imbalance, one class, labels that training lacks", () => {
    const rare = dataNotes("classify", { train: [...texts(30, "0"), ...texts(2, "1", 30)] });
    expect(rare).toMatchObject([{ kind: "imbalance", measured: { commonest: 30, rarest: 2 } }]);
    expect(kinds("classify", { train: texts(30, "0") })).toEqual(["one-class"]);
    const unseen = dataNotes("classify", { train: [...texts(5, "0"), ...texts(5, "1", 5)], dev: texts(3, "2", 10) });
    expect(unseen).toMatchObject([{ kind: "unseen-labels", measured: { labels: 1, examples: 3 } }]);
    expect(unseen[0]?.message).toContain('dev has the label "2"');
  });

  test("a label for nearly every example is no label", () => {
    const train = Array.from({ length: 40 }, (_, i) => ({ text: `第${i}句`, label: `${i / 10} 分` }));
    expect(dataNotes("classify", { train })).toMatchObject([
      { kind: "many-labels", measured: { labels: 40, examples: 40 } },
    ]);
  });

  test("empty texts, with the place of the first", () => {
    const notes = dataNotes("classify", { dev: [...texts(2, "0"), { text: " ", label: "1" }] });
    expect(notes).toMatchObject([{ kind: "empty-texts", measured: { empty: 1, examples: 3 } }]);
    expect(notes[0]?.message).toBe("dev has 1 empty text (the first is example 3)");
    // A sentence to be completed is no question, and needs none.
    const cloze = { context: "他来了。", question: "", choices: ["他", "我"] };
    expect(emptyNotes("choice", { dev: [cloze] })).toEqual([]);
    expect(emptyNotes("choice", { dev: [{ ...cloze, choices: ["他", ""] }] })).toHaveLength(1);
  });

  test("dev that is train, and examples that differ in spaces and punctuation", () => {
    const train = [...texts(20, "0"), ...texts(20, "1", 20)];
    expect(dataNotes("classify", { train, dev: train })[0]?.message).toMatch(/^dev is the training data again \(100 %/);
    expect(dataNotes("classify", { train, dev: train }, true)).toMatchObject([{ kind: "overlap", level: "warning" }]);
    const near = [{ text: "这是 第 3 句！", label: "0" }, ...texts(9, "1", 50)];
    const [note] = dataNotes("classify", { train, dev: near });
    expect(note).toMatchObject({ kind: "overlap", level: "warning", measured: { overlapping: 1, share: 0.1 } });
    expect(dataNotes("classify", { train, dev: near }, true)).toMatchObject([{ kind: "overlap", level: "info" }]);
  });

  test("one text with two labels", () => {
    const train = [...texts(10, "0"), ...texts(10, "1", 9)];
    expect(dataNotes("classify", { train })).toMatchObject([{ kind: "contradictions", measured: { texts: 1 } }]);
  });

  test("texts of signs alone are told apart by them", () => {
    const signs = [
      { text: "😀！", label: "1" },
      { text: "😡！", label: "0" },
    ];
    const train = [...texts(10, "0"), ...texts(10, "1", 10), ...signs];
    expect(dataNotes("classify", { train, dev: [{ text: "😭", label: "0" }] })).toEqual([]);
  });

  test("segmented text; spaces beside Latin words are none", () => {
    const segmented = [...texts(1, "0"), { text: "这 家 酒店 很 干净", label: "1" }];
    expect(kinds("classify", { train: segmented })).toEqual(["segmented"]);
    expect(
      kinds("classify", { train: [{ text: "用 iPhone 打 开 了", label: "0" }, ...texts(9, "0"), ...texts(9, "1", 9)] }),
    ).toEqual([]);
  });
});

describe("with a model's tokeniser", () => {
  const characters = [..."这是第句的一二三四五很好0123456789"];
  const vocabulary = Vocabulary.fromTokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...characters]);
  const tokenizer = new BertTokenizer(vocabulary);
  const long = { text: "很好".repeat(30) };

  test("the share that is cut, and the length that holds 99 %", () => {
    const [note] = tokenNotes("classify", [long, ...texts(9, "0")], tokenizer, 32);
    expect(note).toMatchObject({
      kind: "cut-texts",
      measured: { share: 0.1, percentile99: 62 },
      run: "--max-seq-length 64",
    });
    expect(tokenNotes("classify", [long], tokenizer, 32, 48)[0]?.run).toBe("--max-seq-length 48");
    expect(tokenNotes("classify", [long, ...texts(9, "0")], tokenizer, 64)).toEqual([]);
    expect(tokenNotes("ner", [{ ...long, units: [] }], tokenizer, 32)).toEqual([]);
  });

  test("unknown characters, the commonest first; traditional ones and quotes have their own remedy", () => {
    const [note] = tokenNotes("classify", [{ text: "这是好的猫猫狗" }], tokenizer, 64);
    expect(note).toMatchObject({ kind: "unknown-pieces", run: "zhbert vocab-add" });
    expect(note?.message).toContain("most often 猫 (2), 狗 (1)");
    const [traditional] = tokenNotes("classify", [{ text: "這是第一個問題" }], tokenizer, 64);
    expect(traditional?.message).toContain("lacks traditional characters");
    expect(tokenNotes("classify", [{ text: "“很好”" }], tokenizer, 64)[0]?.run).toContain(
      "vocab-add MODEL --curly-quotes map",
    );
  });

  test("characters beyond the common ones", () => {
    const known = new BertTokenizer(Vocabulary.fromTokens([...vocabulary.tokens, "犇", "嘂"]));
    expect(tokenNotes("classify", [{ text: `${"很好".repeat(20)}犇犇嘂` }], known, 64)).toMatchObject([
      { kind: "rare-characters", measured: { characters: 43 } },
    ]);
  });
});

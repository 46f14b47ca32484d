/** Each strategy over words of several units, spaces, entities that touch, and tags of other schemes. */
import { describe, expect, test } from "vitest";
import { smallVocabulary } from "../../../test/small-model.ts";
import { BertTokenizer } from "../../text/tokenizer.ts";
import { aggregateEntities } from "./aggregation.ts";
import type { Tagging } from "./ner-decode.ts";

const tokenizer = new BertTokenizer(smallVocabulary);
const text = "在北京 ibm上";
const tagged = (tags: readonly string[], scores: readonly number[] = tags.map(() => 0.5)): Tagging => ({
  units: [...text].map((_, i) => [i, i + 1]),
  tags,
  scores,
  entities: [{ entity: "LOC", text: "北京", start: 1, end: 3, score: 0.9 }],
});
// A space between 京 and i; three letters of which each has a tag of its own.
const tags = ["O", "B-LOC", "I-LOC", "O", "B-ORG", "O", "B-PER", "O"];
const scores = [0.9, 0.8, 0.6, 0.9, 0.6, 0.5, 0.7, 0.9];
const places = (found: ReturnType<typeof aggregateEntities>) =>
  found.map(({ entity, text: own, start, end, score }) => [entity, own, start, end, Number(score.toFixed(6))]);
const aggregate = (
  strategy: Parameters<typeof aggregateEntities>[2],
  tagging = tagged(tags, scores),
  scheme = "IOB2",
) => places(aggregateEntities(text, tagging, strategy, { tokenizer, scheme }));

describe("strategies", () => {
  test("none gives units by their tags, simple what the model found", () => {
    expect(aggregate("none")).toEqual([
      ["B-LOC", "北", 1, 2, 0.8],
      ["I-LOC", "京", 2, 3, 0.6],
      ["B-ORG", "i", 4, 5, 0.6],
      ["B-PER", "m", 6, 7, 0.7],
    ]);
    expect(aggregate("simple")).toEqual([["LOC", "北京", 1, 3, 0.9]]);
  });

  test("first and max give a word the tag of its first and of its surest unit", () => {
    const location = ["LOC", "北京", 1, 3, 0.7];
    expect(aggregate("first")).toEqual([location, ["ORG", "ibm", 4, 7, 0.6]]);
    expect(aggregate("max")).toEqual([location, ["PER", "ibm", 4, 7, 0.7]]);
  });

  test("average gives it the tag that has the highest mean score over its units", () => {
    const more = tagged(["O", "B-LOC", "I-LOC", "O", "B-ORG", "B-PER", "B-PER", "O"], scores);
    expect(aggregate("average", more)).toEqual([
      ["LOC", "北京", 1, 3, 0.7],
      ["PER", "ibm", 4, 7, 0.4],
    ]);
  });

  test("entities that touch stay apart, also in schemes with letters of their own", () => {
    expect(
      aggregate("first", tagged(["B-PER", "B-LOC", "I-LOC", "O", "O", "O", "O", "O"])).map(([, own]) => own),
    ).toEqual(["在", "北京"]);
    const bilou = tagged(["U-PER", "B-LOC", "L-LOC", "O", "O", "O", "O", "U-LOC"]);
    expect(aggregate("first", bilou, "BILOU").map(([, own]) => own)).toEqual(["在", "北京", "上"]);
  });

  test("words of a segmentation are whole already", () => {
    expect(aggregate("max", tagged(tags), "words")).toEqual([["LOC", "北京", 1, 3, 0.9]]);
  });
});

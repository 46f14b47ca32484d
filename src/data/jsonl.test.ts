import { expect, test } from "vitest";
import { VocabularyError } from "../errors.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import type { PretrainingInstance } from "./instance.ts";
import { encodeInstanceLine } from "./jsonl.ts";

const vocabulary = Vocabulary.fromTokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "雪", "花", '"']);
const instance: PretrainingInstance = {
  inputIds: Int32Array.of(2, 5, 4, 3, 7, 3),
  tokenTypeIds: Uint8Array.of(0, 0, 0, 0, 1, 1),
  wordStarts: Uint8Array.of(1, 1, 0, 1, 1, 1),
  maskedLmPositions: Int32Array.of(2),
  maskedLmIds: Int32Array.of(6),
  nextSentenceLabel: 1,
};

test("a line is one JSON object with the documented fields", () => {
  const line = new TextDecoder().decode(encodeInstanceLine(instance, vocabulary));
  expect(line.indexOf("\n")).toBe(line.length - 1);
  expect(JSON.parse(line)).toEqual({
    tokens: ["[CLS]", "雪", "[MASK]", "[SEP]", '"', "[SEP]"],
    inputIds: [2, 5, 4, 3, 7, 3],
    tokenTypeIds: [0, 0, 0, 0, 1, 1],
    maskedLmPositions: [2],
    maskedLmIds: [6],
    nextSentenceLabel: 1,
  });
});

test("an id of another vocabulary is an error", () => {
  expect(() => encodeInstanceLine({ ...instance, inputIds: Int32Array.of(99) }, vocabulary)).toThrow(VocabularyError);
});

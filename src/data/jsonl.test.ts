import { expect, test } from "vitest";
import { DataError, VocabularyError } from "../errors.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import type { PretrainingInstance } from "./instance.ts";
import { decodeInstanceLine, encodeInstanceLine } from "./jsonl.ts";

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

test("a line read back is the instance; without word starts every token begins a word", () => {
  const line = new TextDecoder().decode(encodeInstanceLine(instance, vocabulary, { words: true }));
  expect(decodeInstanceLine(line, "a.jsonl line 1")).toEqual({ instance, hasWords: true });
  const { wordStarts, ...rest } = JSON.parse(line);
  expect(wordStarts).toHaveLength(6);
  expect(decodeInstanceLine(JSON.stringify(rest), "a.jsonl line 1")).toEqual({
    instance: { ...instance, wordStarts: new Uint8Array(6).fill(1) },
    hasWords: false,
  });
});

test.each([
  ["no JSON", "{", "a JSON object"],
  ["a document", '{"text":"雪花"}', "inputIds"],
  ["a fraction", '{"inputIds":[1.5]}', "integers from 0"],
  ["no list", '{"inputIds":7}', "a list of integers"],
  ["a type of 2", '{"inputIds":[1],"tokenTypeIds":[2]}', "0 or 1"],
  ["a label of 2", '{"inputIds":[1],"nextSentenceLabel":2}', "nextSentenceLabel"],
])("%s is an error that says what was expected", (_, line, expected) => {
  const decode = () => decodeInstanceLine(line, "a.jsonl line 1");
  expect(decode).toThrow(DataError);
  expect(decode).toThrow(expected);
});

import { expect, test } from "vitest";
import { Vocabulary } from "../text/vocabulary.ts";
import { binned, DataStatistics } from "./data-statistics.ts";

const vocabulary = Vocabulary.fromTokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "桥", "边", "茶"]);

test("lengths, masks, words and unknown tokens are counted; what a mask hides counts as itself", () => {
  const statistics = new DataStatistics(vocabulary);
  statistics.add({
    inputIds: Int32Array.of(2, 5, 4, 7, 1, 4, 3),
    tokenTypeIds: new Uint8Array(7),
    wordStarts: Uint8Array.of(1, 1, 0, 1, 1, 1, 1),
    maskedLmPositions: Int32Array.of(2, 3, 5),
    maskedLmIds: Int32Array.of(6, 7, 1),
    nextSentenceLabel: 1,
  });
  expect(statistics).toMatchObject({
    instances: 1,
    tokens: 7,
    predictions: 3,
    masked: 2,
    kept: 1,
    unknown: 2,
    words: 4,
    labelled: 1,
  });
  expect(statistics.lengths).toEqual(new Map([[7, 1]]));
  expect(statistics.wordLengths).toEqual(
    new Map([
      [2, 1],
      [1, 3],
    ]),
  );
  expect(statistics.maskRates).toEqual(new Map([[43, 1]]));
});

test("bins hold the values from their first on, and empty ones stay", () => {
  expect(
    binned(
      new Map([
        [3, 1],
        [4, 2],
        [17, 5],
      ]),
      4,
    ),
  ).toEqual([
    [0, 1],
    [4, 2],
    [8, 0],
    [12, 0],
    [16, 5],
  ]);
  expect(binned(new Map(), 4)).toEqual([]);
});

import { expect, test } from "vitest";
import { batchesByLength, inChunks, tokenBatch } from "./batches.ts";

test("rows of like length together, the longest first, within the budget of padded tokens", () => {
  expect(batchesByLength([3, 9, 4, 4, 30, 1], 16)).toEqual([[4], [1], [2, 3, 0, 5]]);
  expect(batchesByLength([2, 2, 2], 1)).toEqual([[0], [1], [2]]);
  expect(batchesByLength([], 16)).toEqual([]);
});

test("chunks end with as many items or as much size as they may have", async () => {
  const chunks: (readonly number[])[] = [];
  const limits = { maxItems: 3, maxSize: 10, size: (item: number) => item };
  for await (const chunk of inChunks([1, 1, 1, 9, 1, 20, 4], limits)) chunks.push(chunk);
  expect(chunks).toEqual([[1, 1, 1], [9, 1], [20], [4]]);
});

test("a batch is padded on the right to its longest row", () => {
  const row = (...ids: number[]) => ({
    ids: Int32Array.from(ids),
    typeIds: new Int32Array(ids.length).fill(1),
    roles: new Uint8Array(ids.length),
    firstPiece: 0,
  });
  const { seqLength, inputs } = tokenBatch([row(7, 8, 9), row(5)]);
  expect(seqLength).toBe(3);
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, data }]) => [name, [shape, [...data]]]),
  );
  expect(values).toEqual({
    input_ids: [
      [2, 3],
      [7, 8, 9, 5, 0, 0],
    ],
    token_type_ids: [
      [2, 3],
      [1, 1, 1, 1, 0, 0],
    ],
    attention_mask: [
      [2, 3],
      [1, 1, 1, 1, 0, 0],
    ],
  });
});

import { describe, expect, test } from "vitest";
import { batchesByLength, ChunkReader, tokenBatch } from "./batches.ts";

test("rows of like length together, the longest first, within the budget of padded tokens", () => {
  expect(batchesByLength([3, 9, 4, 4, 30, 1], 16)).toEqual([[4], [1], [2, 3, 0, 5]]);
  expect(batchesByLength([2, 2, 2], 1)).toEqual([[0], [1], [2]]);
  expect(batchesByLength([], 16)).toEqual([]);
});

describe("ChunkReader", () => {
  const limits = { maxItems: 3, maxSize: 10, size: (item: number) => item };

  const settled = () => new Promise((resolve) => setTimeout(resolve));

  async function* counted(items: readonly number[], taken: number[]) {
    for (const item of items) {
      if (item < 0) throw new Error(`item ${item}`);
      taken.push(item);
      yield item;
    }
  }

  test("chunks end with as many items or as much size as they may have", async () => {
    const reader = new ChunkReader(counted([1, 1, 1, 9, 1, 20, 4], []), limits);
    const chunks: (readonly number[])[] = [];
    for (let chunk = await reader.next(); chunk.length > 0; chunk = await reader.next()) chunks.push(chunk);
    expect(chunks).toEqual([[1, 1, 1], [9, 1], [20], [4]]);
  });

  test("reads ahead as far as it is told and the next chunk goes, and no further", async () => {
    const taken: number[] = [];
    const reader = new ChunkReader(counted([1, 2, 3, 4, 5, 6, 7], taken), limits);
    expect(await reader.next()).toEqual([1, 2, 3]);
    reader.readAhead(1);
    await settled();
    expect(taken).toEqual([1, 2, 3, 4]);
    reader.readAhead(1);
    reader.readAhead(9);
    await settled();
    expect(taken).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await reader.next()).toEqual([4, 5, 6]);
    expect(await reader.next()).toEqual([7]);
  });

  test("what fails ahead is thrown when its chunk is asked for", async () => {
    const reader = new ChunkReader(counted([1, 2, 3, 4, -5], []), limits);
    expect(await reader.next()).toEqual([1, 2, 3]);
    reader.readAhead(2);
    await settled();
    await expect(reader.next()).rejects.toThrow("item -5");
  });

  test("a source that is being waited for is closed without waiting", async () => {
    async function* source() {
      yield 1;
      await new Promise(() => undefined);
    }
    const reader = new ChunkReader(source(), { ...limits, maxItems: 1 });
    expect(await reader.next()).toEqual([1]);
    reader.readAhead(1);
    await reader.close();
  });

  test("a source that is closed gives no more", async () => {
    const taken: number[] = [];
    const items = counted([1, 2, 3, 4], taken);
    const reader = new ChunkReader(items, limits);
    await reader.next();
    await reader.close();
    expect(await items.next()).toEqual({ value: undefined, done: true });
    expect(taken).toEqual([1, 2, 3]);
  });
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

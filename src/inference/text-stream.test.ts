import { describe, expect, test } from "vitest";
import { type StreamOptions, streamTexts } from "./text-stream.ts";

/** Texts are numbers, as many rows as they say; a row has as many tokens. */
function workOf(streams: number, run: (rows: readonly number[]) => Promise<void> = async () => undefined) {
  const seen = { running: 0, most: 0, rows: 0, encoded: 0, encodedAtFirstRun: 0 };
  const work = {
    streams,
    bytes: { perText: 0, perToken: 0 },
    encode: (text: number) => {
      seen.encoded += 1;
      return { rows: new Array<number>(text).fill(text) };
    },
    tokens: (row: number) => row,
    start: (text: number) => ({ text, rows: 0 }),
    run: async (rows: readonly number[], results: readonly { text: number; rows: number }[]) => {
      seen.encodedAtFirstRun ||= seen.encoded;
      seen.most = Math.max(seen.most, ++seen.running);
      try {
        await new Promise((resolve) => setTimeout(resolve, 1));
        await run(rows);
        for (const result of results) result.rows += 1;
        seen.rows += rows.length;
      } finally {
        seen.running -= 1;
      }
    },
  };
  return { work, seen };
}

async function collect(texts: Iterable<number>, { work }: ReturnType<typeof workOf>, options: StreamOptions = {}) {
  const results: { text: number; rows: number }[] = [];
  for await (const result of streamTexts(texts, work, options)) results.push(result);
  return results;
}

describe("streamTexts", () => {
  const texts = Array.from({ length: 40 }, (_, i) => 1 + (i % 4));

  test.each([1, 3])(
    "computes %i batches at a time, and gives the results in the order of the texts",
    async (streams) => {
      const stream = workOf(streams);
      const progress: number[] = [];
      const results = await collect(texts, stream, { batchTokens: 4, onProgress: (done) => progress.push(done) });
      expect(results.map(({ text }) => text)).toEqual(texts);
      // Every row of every text has run.
      expect(results.every(({ text, rows }) => text === rows)).toBe(true);
      expect(stream.seen.most).toBe(streams);
      expect(progress.at(-1)).toBe(texts.length);
      expect(progress).toEqual([...progress].sort((a, b) => a - b));
    },
  );

  test("what fails is thrown when no batch goes on, and no other begins", async () => {
    const stream = workOf(2, async (rows) => {
      if (rows[0] === 3) throw new Error("the engine broke");
    });
    await expect(collect(texts, stream, { batchTokens: 4 })).rejects.toThrow("the engine broke");
    expect(stream.seen.running).toBe(0);
    // Batches of four and those that ran beside the one that failed.
    expect(stream.seen.rows).toBeLessThan(60);
  });

  test("results and errors do not wait for a source that has no more at the moment", async () => {
    async function* source() {
      for (let i = 0; i < 4097; i++) yield 1;
      await new Promise(() => undefined);
    }
    const results = streamTexts(source(), workOf(1).work, {});
    expect(await results.next()).toEqual({ value: { text: 1, rows: 1 }, done: false });
    await results.return(undefined);
    const failing = workOf(2, () => Promise.reject(new Error("the engine broke")));
    await expect(streamTexts(source(), failing.work, {}).next()).rejects.toThrow("the engine broke");
  });

  test("encodes texts of the next chunk while the engine computes", async () => {
    const stream = workOf(1);
    const many = new Array<number>(6000).fill(1);
    let given = 0;
    let encodedAtFirstResult = 0;
    for await (const _ of streamTexts(many, stream.work, {})) {
      if (given++ === 0) encodedAtFirstResult = stream.seen.encoded;
    }
    expect(given).toBe(6000);
    expect(stream.seen.encodedAtFirstRun).toBe(4096);
    expect(encodedAtFirstResult).toBe(6000);
  });
});

import { afterAll, describe, expect, test } from "vitest";
import { expectClose } from "../../test/graph-checks.ts";
import { smallConfig, smallVocabulary, smallWeights } from "../../test/small-model.ts";
import { lazyTensors } from "../checkpoint/format.ts";
import { ArgumentError } from "../errors.ts";
import { createOnnxRuntime } from "../node/onnxruntime.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { BertModel } from "./bert-model.ts";
import type { EmbedOptions } from "./embed.ts";

const runtime = createOnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());
const model = new BertModel({
  config: smallConfig,
  weights: lazyTensors(smallWeights()),
  tokenizer: new BertTokenizer(smallVocabulary),
  runtime,
});
const HIDDEN = 12;
const TOLERANCE = 1e-5;

/** Token vectors of one text: [tokens][hidden]. */
async function tokensOf(text: string, options: EmbedOptions = {}): Promise<number[][]> {
  const [flat] = await model.embed([text], { ...options, pooling: "none" });
  const rows = (flat as Float32Array).length / HIDDEN;
  return Array.from({ length: rows }, (_, row) => [
    ...(flat as Float32Array).subarray(row * HIDDEN, (row + 1) * HIDDEN),
  ]);
}

const one = async (text: string, options: EmbedOptions) => [
  ...((await model.embed([text], options))[0] as Float32Array),
];
const columns = (rows: readonly number[][], reduce: (values: number[]) => number) =>
  Array.from({ length: HIDDEN }, (_, column) => reduce(rows.map((row) => row[column] as number)));
const mean = (rows: readonly number[][]) => columns(rows, (values) => values.reduce((a, b) => a + b) / values.length);
const maximum = (rows: readonly number[][]) => columns(rows, (values) => Math.max(...values));

const texts = ["今天天气很好", "我", "", "我爱北京的天气，他不在了", "他来了", "今天天气很好"];

describe("embed", () => {
  test.each([1, 13, 2048])(
    "gives each text the same vector alone and in batches of %i tokens, in order",
    async (batchTokens) => {
      const together = await model.embed(texts, { batchTokens });
      expect(together).toHaveLength(texts.length);
      for (const [i, text] of texts.entries())
        expectClose([...(together[i] as Float32Array)], await one(text, {}), TOLERANCE);
      expect([...(together[0] as Float32Array)]).not.toEqual([...(together[3] as Float32Array)]);
    },
  );

  test("pools the tokens as the strategies say", async () => {
    const text = "我爱北京";
    const rows = await tokensOf(text);
    expect(rows).toHaveLength(6);
    expectClose(await one(text, { pooling: "mean" }), mean(rows), TOLERANCE);
    expectClose(await one(text, { pooling: "max" }), maximum(rows), TOLERANCE);
    expectClose(await one(text, { pooling: "mean-max" }), [...mean(rows), ...maximum(rows)], TOLERANCE);
    expectClose(await one(text, { pooling: "cls" }), rows[0] as number[], TOLERANCE);
    expectClose(await one(text, { pooling: "sep" }), rows[5] as number[], TOLERANCE);
    expectClose(await one(text, { pooling: "last-token" }), rows[5] as number[], TOLERANCE);
    const sqrt = columns(rows, (values) => values.reduce((a, b) => a + b) / Math.sqrt(6));
    expectClose(await one(text, { pooling: "mean-sqrt-len" }), sqrt, TOLERANCE);
    const weighted = columns(rows, (values) => values.reduce((sum, x, i) => sum + x * (i + 1), 0) / 21);
    expectClose(await one(text, { pooling: "weighted-mean" }), weighted, TOLERANCE);
    const first = await tokensOf(text, { layers: [1] });
    const both = first.map((row, i) => row.map((x, j) => (x + (rows[i]?.[j] as number)) / 2));
    expectClose(await one(text, { pooling: "first-last-avg" }), mean(both), TOLERANCE);
  });

  test("without [CLS] and [SEP]", async () => {
    const rows = await tokensOf("我爱北京");
    const inner = rows.slice(1, -1);
    expectClose(await one("我爱北京", { maskClsSep: true }), mean(inner), TOLERANCE);
    expectClose(await one("我爱北京", { maskClsSep: true, pooling: "max" }), maximum(inner), TOLERANCE);
    expectClose(await one("我爱北京", { maskClsSep: true, pooling: "cls" }), rows[0] as number[], TOLERANCE);
    expectClose(await one("我爱北京", { maskClsSep: true, pooling: "last-token" }), rows[4] as number[], TOLERANCE);
    const none = await tokensOf("我爱北京", { maskClsSep: true });
    expect([none[0], none[5]]).toEqual([new Array(HIDDEN).fill(0), new Array(HIDDEN).fill(0)]);
    expectClose(none.slice(1, -1).flat(), inner.flat(), TOLERANCE);
    // Nothing is left of an empty text: zeros, not what stands for minus infinity.
    for (const pooling of ["mean", "max", "mean-max"] as const) {
      expect(new Set((await one("", { maskClsSep: true, pooling })).map(Math.abs))).toEqual(new Set([0]));
    }
  });

  test("layers side by side in the order given, columns cut, rows normalised", async () => {
    const [last, embeddings] = [await one("他来了", { layers: [2] }), await one("他来了", { layers: [0] })];
    expectClose(await one("他来了", { layers: [-1, 0] }), [...last, ...embeddings], TOLERANCE);
    const cut = await one("他来了", { layers: [-1, 0], truncateDim: 5, normalize: true });
    const norm = Math.hypot(...last.slice(0, 5));
    expectClose(
      cut,
      last.slice(0, 5).map((x) => x / norm),
      TOLERANCE,
    );
    expect(model.embeddingSize({ layers: [-1, 0], pooling: "mean-max" })).toBe(4 * HIDDEN);
    expect(model.embeddingSize({ truncateDim: 7 })).toBe(7);
  });

  test("pairs are two sentences of one row", async () => {
    const [pair] = await model.embed([["我爱", "北京"]]);
    const joined = await one("我爱[SEP]北京", {});
    // The same ids, but the second sentence has its own segment.
    expect([...(pair as Float32Array)]).not.toEqual(joined);
    const [empty, single] = [await model.embed([["我爱", ""]], { pooling: "none" }), await tokensOf("我爱")];
    expect(empty[0]).toHaveLength((single.length + 1) * HIDDEN);
  });
});

describe("embed: texts longer than the model's positions", () => {
  const long = "今天天气很好我爱北京的天气一是不了在人有他这中大来上".repeat(2);
  const count = long.length + 2;

  test("each token counts once, whatever the overlap", async () => {
    for (const overlap of [0, 3, 13]) {
      const rows = await tokensOf(long, { overlap });
      expect(rows).toHaveLength(count);
      expectClose(await one(long, { overlap }), mean(rows), TOLERANCE);
      expectClose(await one(long, { overlap, pooling: "max" }), maximum(rows), TOLERANCE);
      expectClose(await one(long, { overlap, maskClsSep: true }), mean(rows.slice(1, -1)), TOLERANCE);
      const sqrt = columns(rows, (values) => values.reduce((a, b) => a + b) / Math.sqrt(count));
      expectClose(await one(long, { overlap, pooling: "mean-sqrt-len" }), sqrt, TOLERANCE);
      const total = (count * (count + 1)) / 2;
      const weighted = columns(rows, (values) => values.reduce((sum, x, i) => sum + (x * (i + 1)) / total, 0));
      expectClose(await one(long, { overlap, pooling: "weighted-mean" }), weighted, TOLERANCE);
    }
  });

  test("a token comes from the window that sees most around it", async () => {
    // Windows of 14 pieces that share 4: pieces 0-13 and 10-19; the border lies at 12.
    const text = long.slice(0, 20);
    const rows = await tokensOf(text, { overlap: 4 });
    const [first, second] = [await tokensOf(text.slice(0, 14)), await tokensOf(text.slice(10))];
    expectClose(rows.slice(0, 13).flat(), first.slice(0, 13).flat(), TOLERANCE);
    expectClose(rows.slice(13).flat(), second.slice(3).flat(), TOLERANCE);
  });

  test("one token for each window: their mean by tokens, their maximum, or the first", async () => {
    const text = long.slice(0, 20);
    const [first, second] = [await tokensOf(text.slice(0, 14)), await tokensOf(text.slice(10))];
    const [a, b] = [first[0] as number[], second[0] as number[]];
    const options = { overlap: 4, pooling: "cls" } as const;
    // [CLS] and 12 pieces in the first, 8 pieces and [SEP] in the second.
    expectClose(
      await one(text, options),
      a.map((x, i) => (13 * x + 9 * (b[i] as number)) / 22),
      TOLERANCE,
    );
    expectClose(await one(text, { ...options, windowMerge: "max" }), maximum([a, b]), TOLERANCE);
    expectClose(await one(text, { ...options, windowMerge: "first" }), a, TOLERANCE);
    const pooled = await one(text, { ...options, pooling: "pooler" });
    const [pa, pb] = [
      await one(text.slice(0, 14), { pooling: "pooler" }),
      await one(text.slice(10), { pooling: "pooler" }),
    ];
    expectClose(
      pooled,
      pa.map((x, i) => (13 * x + 9 * (pb[i] as number)) / 22),
      TOLERANCE,
    );
    const highest = await one(text, { overlap: 4, pooling: "max", windowMerge: "mean" });
    const [ha, hb] = [maximum(first.slice(0, 13)), maximum(second.slice(3))];
    expectClose(
      highest,
      ha.map((x, i) => (13 * x + 9 * (hb[i] as number)) / 22),
      TOLERANCE,
    );
  });

  test("truncate cuts, and so does windowMerge first", async () => {
    const cut = await one(long.slice(0, 14), {});
    expectClose(await one(long, { truncate: true }), cut, TOLERANCE);
    expectClose(await one(long, { windowMerge: "first" }), cut, TOLERANCE);
    expectClose(await one(long, { truncate: true, maxLength: 6 }), await one(long.slice(0, 4), {}), TOLERANCE);
  });

  test("a pair that is too long is refused, or cut where that is asked for", async () => {
    const pair = ["我爱北京的天气一是不了", "他来了在北京"] as const;
    await expect(model.embed(["我", pair])).rejects.toThrow(
      "text 2: expected a pair of at most 16 tokens with [CLS] and [SEP], got 20",
    );
    const [cut] = await model.embed([pair], { truncate: true, pooling: "none" });
    expect(cut).toHaveLength(16 * HIDDEN);
  });
});

describe("embedStream", () => {
  test("holds no more texts than two chunks, whatever the stream's length", async () => {
    let [taken, given, most] = [0, 0, 0];
    async function* source() {
      for (; taken < 10_000; ) {
        taken += 1;
        yield "我爱北京".slice(0, 1 + (taken % 4));
        most = Math.max(most, taken - given);
      }
    }
    let done = 0;
    const onProgress = (texts: number) => {
      expect(texts).toBeGreaterThanOrEqual(done);
      done = texts;
    };
    for await (const vector of model.embedStream(source(), { onProgress, truncateDim: 1 })) {
      expect(vector).toHaveLength(1);
      given += 1;
    }
    expect([given, done]).toEqual([10_000, 10_000]);
    expect(most).toBeLessThanOrEqual(2 * 4096);
    expect(most).toBeGreaterThan(1000);
  });

  test("stops between batches when it is aborted", async () => {
    const controller = new AbortController();
    const onProgress = () => controller.abort(new Error("enough"));
    await expect(model.embed(texts, { signal: controller.signal, onProgress, batchTokens: 1 })).rejects.toThrow(
      "enough",
    );
  });
});

test("options that do not fit the model are refused", async () => {
  const refused: readonly (readonly [EmbedOptions, string])[] = [
    [{ layers: [3] }, "layers: expected a layer in -3 .. 2 (0 is the embeddings, -1 the last layer), got 3"],
    [{ layers: [] }, "layers"],
    [{ layers: [-2], pooling: "pooler" }, "layers: expected none with pooling pooler"],
    [{ layers: [0, -1], pooling: "first-last-avg" }, "layer 1 and the last"],
    [{ truncateDim: 13 }, "columns to keep: expected a whole number in 1 .. 12"],
    [{ maxLength: 17 }, "maximum length: expected a whole number in 4 .. 16"],
    [{ overlap: 14 }, "window overlap: expected a whole number in 0 .. 13"],
    [{ batchTokens: 0 }, "tokens of a batch"],
  ];
  for (const [options, message] of refused) {
    const error = await model.embed(["我"], options).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ArgumentError);
    expect(String(error)).toContain(message);
  }
});

test("a text by itself and names that there are not are refused, which types alone would not do everywhere", async () => {
  const text = "今天" as never;
  await expect(model.embed(text)).rejects.toThrow('texts: expected a list of texts, got "今天"');
  await expect(model.features(text)).rejects.toThrow("a list of texts");
  await expect(model.fillMask("[MASK]" as never)).rejects.toThrow("a list of texts");
  await expect(model.embed(["我"], { pooling: "avg" as never })).rejects.toThrow(
    'mean-sqrt-len, weighted-mean, none, got "avg"',
  );
  await expect(model.embed(["我"], { windowMerge: "sum" as never })).rejects.toThrow(
    "windowMerge: expected mean, first, max",
  );
});

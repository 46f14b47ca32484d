import { afterAll, describe, expect, test } from "vitest";
import { expectClose } from "../../test/graph-checks.ts";
import { smallConfig, smallVocabulary, smallWeights } from "../../test/small-model.ts";
import { lazyTensors } from "../checkpoint/format.ts";
import { createOnnxRuntime } from "../node/onnxruntime.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { BertModel } from "./bert-model.ts";

const runtime = createOnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());
const model = new BertModel({
  config: smallConfig,
  weights: lazyTensors(smallWeights()),
  tokenizer: new BertTokenizer(smallVocabulary),
  runtime,
});

describe("features", () => {
  test("every token's states of the layers asked for, in the order of texts and layers", async () => {
    const texts = ["我爱北京", "我", ["他来了", "在北京"]] as const;
    const results = await model.features(texts, { layers: [-1, 0], batchTokens: 12 });
    expect(results.map(({ tokens }) => tokens.join(" "))).toEqual([
      "[CLS] 我 爱 北 京 [SEP]",
      "[CLS] 我 [SEP]",
      "[CLS] 他 来 了 [SEP] 在 北 京 [SEP]",
    ]);
    for (const [i, { layers }] of results.entries()) {
      expect(layers.map(({ index }) => index)).toEqual([-1, 0]);
      for (const { index, values } of layers) {
        const text = texts[i] as (typeof texts)[number];
        const [flat] = await model.embed([text], { pooling: "none", layers: [index] });
        expectClose([...values], [...(flat as Float32Array)], 1e-5);
      }
    }
  });

  test("a repeated layer comes twice; all layers there are when nothing is said", async () => {
    const [twice] = await model.features(["我"], { layers: [1, -2] });
    expect([...(twice?.layers[0]?.values ?? [1])]).toEqual([...(twice?.layers[1]?.values ?? [])]);
    const [defaults] = await model.features(["我"]);
    expect(defaults?.layers.map(({ index }) => index)).toEqual([-1, -2]);
  });

  test("what is too long is cut, a pair from its longer side, and that is said", async () => {
    const [short, pair] = await model.features(["我爱北京", ["我爱北京", "他来了"]], { maxLength: 6 });
    expect([short?.isTruncated, pair?.isTruncated]).toEqual([false, true]);
    expect(pair?.tokens.join(" ")).toBe("[CLS] 我 爱 [SEP] 他 [SEP]");
  });
});

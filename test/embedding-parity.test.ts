/** Hidden states, pooling and sentence vectors against what PyTorch, bert-as-service, sentence-transformers and SimCSE give. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { lazyTensors } from "../src/checkpoint/format.ts";
import { readSafetensors } from "../src/checkpoint/formats/safetensors.ts";
import { buildGraph, input, type Tensor } from "../src/graph/graph.ts";
import { add, scale } from "../src/graph/ops/arithmetic.ts";
import { concat } from "../src/graph/ops/slice.ts";
import { BertModel } from "../src/inference/bert-model.ts";
import { normalizeRows, type PoolingStrategy, tokenWeights, truncateRows } from "../src/inference/pooling.ts";
import { parseConfig } from "../src/model/config.ts";
import { hiddenStatesGraph } from "../src/model/hidden-states.ts";
import { maxPooling, weightedPooling } from "../src/model/pooling.ts";
import { createOnnxRuntime } from "../src/node/onnxruntime.ts";
import { BertTokenizer } from "../src/text/tokenizer.ts";
import { Vocabulary } from "../src/text/vocabulary.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../src/util/tensor.ts";
import { expectClose, numbers } from "./graph-checks.ts";
import { describeShared, shared } from "./shared.ts";

const runtime = createOnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const tensors = (path: string): NamedTensors => readSafetensors(readFileSync(path), path);
const asInt32 = ({ shape, data }: HostTensor) =>
  hostTensor("int32", shape, Int32Array.from(data as BigInt64Array, Number));
const TOLERANCE = 1e-5;

describe.each(["gelu", "gelu_new"] as const)("hidden states of bert-tiny with %s", (hiddenAct) => {
  const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/bert-tiny/${name}`, import.meta.url));
  const config = { ...parseConfig(JSON.parse(readFileSync(fixture("config.json"), "utf8")), "config.json"), hiddenAct };
  const expected = tensors(fixture("forward.safetensors"));
  const inputs = [...tensors(fixture("forward-inputs.safetensors"))].map(([name, tensor]) => [name, asInt32(tensor)]);

  test("all layers and heads equal PyTorch's; a graph of a lower layer has no parameter of those above", async () => {
    const heads = { pooledOutput: true, mlmLogits: true, nspLogits: true };
    const graph = hiddenStatesGraph(config, { layers: [0, 1, 2, 3, 4, -1], ...heads });
    const executable = await runtime.compile(graph, { weights: tensors(fixture("model.safetensors")) });
    const outputs = await executable.run(Object.fromEntries(inputs));
    const states = numbers(expected.get(`${hiddenAct}.hidden_states`));
    const size = states.length / 6;
    for (let layer = 0; layer < 6; layer++) {
      expect(outputs[`hidden_states.${layer}`]?.shape).toEqual([13, 7, 32]);
      expectClose(
        numbers(outputs[`hidden_states.${layer}`]),
        states.slice(layer * size, (layer + 1) * size),
        TOLERANCE,
      );
    }
    for (const name of ["pooled_output", "mlm_logits", "nsp_logits"]) {
      expectClose(numbers(outputs[name]), numbers(expected.get(`${hiddenAct}.${name}`)), TOLERANCE);
    }
    const early = hiddenStatesGraph(config, { layers: [-4] }).inputs.map(({ name }) => name);
    expect([...early.filter((name) => /encoder\.layer/.test(name))].every((name) => /layer\.[01]\./.test(name))).toBe(
      true,
    );
    expect(early.some((name) => /pooler|cls/.test(name))).toBe(false);
  });
});

/** Pools in a graph as `pooledStatesGraph` does, over token vectors that are given. */
async function pool(
  strategies: readonly PoolingStrategy[],
  layers: readonly HostTensor[],
  mask: HostTensor,
  { choiceMask = mask, attention = mask } = {},
): Promise<number[]> {
  const [batch, seq] = mask.shape as [number, number];
  const states = layers.map(({ shape }, i) => input(`layer.${i}`, "float32", shape));
  const joined = concat(states, 2);
  const feeds: Record<string, HostTensor> = { mask: asInt32(mask) };
  layers.forEach((layer, i) => {
    feeds[`layer.${i}`] = layer;
  });
  const weighted = (strategy: PoolingStrategy): Tensor => {
    const rowsOf = strategy === "cls" ? choiceMask : mask;
    const values = Array.from(rowsOf.data as BigInt64Array, Number);
    const first = (row: number) => (attention.data as BigInt64Array).subarray(row * seq, (row + 1) * seq).indexOf(1n);
    const rows = Array.from({ length: batch }, (_, row) =>
      tokenWeights(strategy, values.slice(row * seq, (row + 1) * seq), first(row)),
    );
    feeds[strategy] = hostTensor("float32", [batch, 1, seq], Float32Array.from(rows.flatMap((row) => [...row])));
    return weightedPooling(joined, input(strategy, "float32", [batch, 1, seq]));
  };
  const maximum = () => maxPooling(joined, input("mask", "int32", [batch, seq]));
  const parts = strategies.map((strategy) => (strategy === "max" ? maximum() : weighted(strategy)));
  const executable = await runtime.compile(buildGraph({ pooled: concat(parts, 2) }));
  const { pooled } = await executable.run(feeds);
  await executable.dispose();
  return numbers(pooled);
}

describeShared("reference/pooling/bert_service.safetensors", "pooling equals bert-as-service", (path) => {
  const all = tensors(path);
  const tensor = (name: string) => all.get(name) as HostTensor;
  const layerSets = { one: [2], last: [3], concat: [3, 2, 0] };
  const masks = { plain: "in.mask", mask_cls_sep: "in.mask_cls_sep", mask_cls_sep_pair: "in.mask_cls_sep_pair" };
  const strategies: Readonly<Record<string, readonly PoolingStrategy[]>> = {
    REDUCE_MEAN: ["mean"],
    REDUCE_MAX: ["max"],
    REDUCE_MEAN_MAX: ["mean", "max"],
    CLS_TOKEN: ["cls"],
    FIRST_TOKEN: ["cls"],
    SEP_TOKEN: ["sep"],
    LAST_TOKEN: ["sep"],
  };
  const cases = Object.keys(strategies).flatMap((strategy) =>
    Object.keys(layerSets).flatMap((set) => Object.keys(masks).map((mask) => [strategy, set, mask] as const)),
  );

  test.each(cases)("%s of %s, %s", async (strategy, set, mask) => {
    const layers = layerSets[set as keyof typeof layerSets].map((layer) => tensor(`in.layer.${layer}`));
    const pooled = await pool(
      strategies[strategy] as readonly PoolingStrategy[],
      layers,
      tensor(masks[mask as keyof typeof masks]),
      { choiceMask: tensor("in.mask") },
    );
    expectClose(pooled, numbers(tensor(`${strategy}.${set}.${mask}`)), TOLERANCE);
  });
});

describeShared(
  "reference/pooling/sentence_transformers_pooling.safetensors",
  "pooling equals sentence-transformers",
  (path) => {
    const all = tensors(path);
    const tensor = (name: string) => all.get(name) as HostTensor;
    const modes: Readonly<Record<string, PoolingStrategy>> = {
      cls: "cls",
      max: "max",
      mean: "mean",
      mean_sqrt_len_tokens: "mean-sqrt-len",
      weightedmean: "weighted-mean",
      lasttoken: "last-token",
    };
    const withoutPrompt = ({ shape, data }: HostTensor, prompt: number): HostTensor => {
      const [rows, seq] = shape as [number, number];
      const mask = BigInt64Array.from(data as BigInt64Array);
      for (let row = 0; row < rows; row++) {
        const first = mask.subarray(row * seq, (row + 1) * seq).indexOf(1n);
        mask.fill(0n, row * seq + first, row * seq + first + prompt);
      }
      return hostTensor("int64", shape, mask);
    };

    test.each(Object.keys(modes))("%s: right and left padding, with and without a prompt", async (mode) => {
      for (const side of ["right", "left"]) {
        const mask = tensor(`in.mask_${side}_padded`);
        const strategies = [modes[mode] as PoolingStrategy];
        expectClose(await pool(strategies, [tensor("in.tokens")], mask), numbers(tensor(`${mode}.${side}`)), TOLERANCE);
        const excluded = await pool(strategies, [tensor("in.tokens")], withoutPrompt(mask, 2), {
          attention: mask,
        });
        expectClose(excluded, numbers(tensor(`${mode}.${side}.without_prompt_2`)), TOLERANCE);
      }
    });

    test("several modes side by side", async () => {
      for (const side of ["right", "left"]) {
        const pooled = await pool(["mean", "max", "cls"], [tensor("in.tokens")], tensor(`in.mask_${side}_padded`));
        expectClose(pooled, numbers(tensor(`mean+max+cls.${side}`)), TOLERANCE);
      }
    });

    test("columns are cut before rows are normalised; a row of zeros stays", () => {
      const rows = tensor("in.embeddings_with_zero_row").data as Float32Array;
      for (const [name, kept] of [
        ["normalized", 16],
        ["truncated_8_normalized", 8],
        ["truncated_5_normalized", 5],
      ] as const) {
        const cut = truncateRows(rows.slice(), 16, kept);
        if (kept < 16) expect([...cut]).toEqual(numbers(tensor(`truncated_${kept}`)));
        normalizeRows(cut, kept);
        expectClose([...cut], numbers(tensor(name)), TOLERANCE);
      }
    });
  },
);

describeShared("reference/pooling/simcse.safetensors", "first-last-avg equals SimCSE", (path) => {
  test("layer 1 and the last, not the embeddings", async () => {
    const all = tensors(path);
    const states = [1, 3].map((layer) => all.get(`pooler.in.hidden_states.${layer}`) as HostTensor);
    const [first, last] = states.map(({ shape }, i) => input(`layer.${i}`, "float32", shape)) as [Tensor, Tensor];
    const graph = buildGraph({ mean: scale(add(first, last), 0.5) });
    const { mean } = await (await runtime.compile(graph)).run({
      "layer.0": states[0] as HostTensor,
      "layer.1": states[1] as HostTensor,
    });
    const pooled = await pool(["first-last-avg"], [mean as HostTensor], all.get("pooler.in.mask") as HostTensor);
    expectClose(pooled, numbers(all.get("pooler.avg_first_last")), TOLERANCE);
  });
});

describeShared("reference/bert-small-zh", "sentence vectors from text equal Transformers'", (folder) => {
  const json = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"));
  const expected = tensors(join(folder, "sentence-vectors.safetensors"));
  const model = new BertModel({
    config: parseConfig(json("config.json"), "config.json"),
    weights: lazyTensors(tensors(join(folder, "model.safetensors"))),
    tokenizer: new BertTokenizer(Vocabulary.fromText(readFileSync(shared("assets/vocab.txt") as string, "utf8"))),
    runtime,
  });
  const lines: { text: string; pair: string | null }[] = json("tokenization.json");
  const texts = lines.map(({ text, pair }) => (pair === null ? text : ([text, pair] as const)));

  test("the mean of the second to last layer, and the cosines of all pairs", async () => {
    const vectors = await model.embed(texts, { layers: [-2], batchTokens: 64 });
    expectClose(
      vectors.flatMap((vector) => [...vector]),
      numbers(expected.get("mean_second_to_last")),
      TOLERANCE,
    );
    const unit = await model.embed(texts, { layers: [-2], normalize: true });
    const cosines = unit.flatMap((a) => unit.map((b) => a.reduce((sum, x, i) => sum + x * (b[i] as number), 0)));
    expectClose(cosines, numbers(expected.get("cosine_similarity")), TOLERANCE);
  });

  test("the pooler's vector", async () => {
    const vectors = await model.embed(texts, { pooling: "pooler" });
    expectClose(
      vectors.flatMap((vector) => [...vector]),
      numbers(expected.get("pooled_output")),
      TOLERANCE,
    );
  });
});

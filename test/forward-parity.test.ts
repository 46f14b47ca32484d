/** The forward run against PyTorch: every hidden state, pooled output and logits, with both gelus; masks filled as Transformers does. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { lazyTensors } from "../src/checkpoint/format.ts";
import { readSafetensors } from "../src/checkpoint/formats/safetensors.ts";
import { buildGraph, input, type Tensor } from "../src/graph/graph.ts";
import { BertModel } from "../src/inference/bert-model.ts";
import { type BertConfig, parseConfig } from "../src/model/config.ts";
import { modelContext } from "../src/model/context.ts";
import { encoder } from "../src/model/encoder.ts";
import { maskedLmHead, nextSentenceHead, pooler } from "../src/model/heads.ts";
import { BertTokenizer } from "../src/text/tokenizer.ts";
import { Vocabulary } from "../src/text/vocabulary.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../src/util/tensor.ts";
import { expectClose, numbers } from "./graph-checks.ts";
import { describeRuntimes, testRuntimes } from "./runtimes.ts";
import { describeShared, shared } from "./shared.ts";

const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/bert-tiny/${name}`, import.meta.url));
const tensors = (path: string): NamedTensors => readSafetensors(readFileSync(path), path);

/** Round-off of five layers in float32 is 1.8e-6 of the largest value; another order of summation may multiply it. */
const FORWARD_TOLERANCE = 1e-5;

function forwardGraph(config: BertConfig, batch: number | string, seq: number | string) {
  const context = modelContext();
  const ids = (name: string) => input(name, "int32", [batch, seq]);
  const states = encoder(context, config, {
    inputIds: ids("input_ids"),
    tokenTypeIds: ids("token_type_ids"),
    attentionMask: ids("attention_mask"),
  });
  const last = states.at(-1) as Tensor;
  const pooled = pooler(context, config, last, batch, seq);
  return buildGraph({
    ...Object.fromEntries(states.map((state, i) => [`hidden_states.${i}`, state])),
    pooled_output: pooled,
    mlm_logits: maskedLmHead(context, config, last),
    nsp_logits: nextSentenceHead(context, pooled),
  });
}

const asInt32 = ({ shape, data }: HostTensor) =>
  hostTensor("int32", shape, Int32Array.from(data as BigInt64Array, Number));

describe.each(["gelu", "gelu_new"] as const)("bert-tiny with %s", (hiddenAct) => {
  const config = { ...parseConfig(JSON.parse(readFileSync(fixture("config.json"), "utf8")), "config.json"), hiddenAct };
  const expected = tensors(fixture("forward.safetensors"));
  const inputs = [...tensors(fixture("forward-inputs.safetensors"))].map(([name, tensor]) => [name, asInt32(tensor)]);

  describeRuntimes("equals PyTorch", (runtime) => {
    test.each([
      ["static", 13, 7],
      ["named", "batch", "seq"],
    ])("with %s axes", async (_, batch, seq) => {
      const executable = await runtime.compile(forwardGraph(config, batch, seq), {
        weights: tensors(fixture("model.safetensors")),
      });
      const outputs = await executable.run(Object.fromEntries(inputs));
      const want = (name: string) => numbers(expected.get(`${hiddenAct}.${name}`));
      const states = want("hidden_states");
      const size = states.length / (config.numHiddenLayers + 1);
      for (let layer = 0; layer <= config.numHiddenLayers; layer++) {
        const state = states.slice(layer * size, (layer + 1) * size);
        expectClose(numbers(outputs[`hidden_states.${layer}`]), state, FORWARD_TOLERANCE);
      }
      for (const name of ["pooled_output", "mlm_logits", "nsp_logits"]) {
        expectClose(numbers(outputs[name]), want(name), FORWARD_TOLERANCE);
      }
    });
  });
});

describeShared("reference/bert-small-zh", "fill-mask with the published vocabulary equals Transformers", (folder) => {
  test.each(testRuntimes)("tokens, order and scores of every mask ($name)", async (runtime) => {
    const json = (name: string) => JSON.parse(readFileSync(join(folder, name), "utf8"));
    const vocabulary = readFileSync(shared("assets/vocab.txt") as string, "utf8");
    const model = new BertModel({
      config: parseConfig(json("config.json"), "config.json"),
      weights: lazyTensors(tensors(join(folder, "model.safetensors"))),
      tokenizer: new BertTokenizer(Vocabulary.fromText(vocabulary)),
      runtime,
    });
    const cases: { text: string; masks: { token: number; token_str: string; score: number }[][] }[] =
      json("fill-mask.json");
    const results = await model.fillMask(cases.map(({ text }) => text));
    results.forEach(({ masks }, i) => {
      const want = cases[i]?.masks ?? [];
      expect(masks.map((entries) => entries.map(({ id }) => id))).toEqual(
        want.map((row) => row.map(({ token }) => token)),
      );
      const scores = want.flat().map(({ score }) => score);
      masks.flat().forEach(({ score }, j) => {
        // Neighbours differ by 1.1 % at least, so that 1e-4 leaves the order firm.
        expect(Math.abs(score / (scores[j] as number) - 1)).toBeLessThan(1e-4);
      });
    });
  });
});

/** One model in every format and every library's file: the same hidden states and logits as PyTorch's, and every task's head. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { readTensors } from "../src/checkpoint/format.ts";
import { readSafetensors } from "../src/checkpoint/formats/safetensors.ts";
import { buildGraph, input, type Tensor } from "../src/graph/graph.ts";
import { type BertConfig, parseConfig } from "../src/model/config.ts";
import { modelContext } from "../src/model/context.ts";
import { encoder } from "../src/model/encoder.ts";
import {
  maskedLmHead,
  multipleChoiceHead,
  nextSentenceHead,
  pooler,
  questionAnsweringHead,
  sequenceClassificationHead,
  tokenClassificationHead,
} from "../src/model/heads.ts";
import { openPretrained } from "../src/node/bert-model.ts";
import { createOnnxRuntime } from "../src/node/onnxruntime.ts";
import { toFloat32 } from "../src/util/half.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../src/util/tensor.ts";
import { expectClose, numbers } from "./graph-checks.ts";
import { describeShared } from "./shared.ts";

const runtime = createOnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const FORWARD_TOLERANCE = 1e-5;
/** Weights rounded once: 2^-11 and 2^-8 of each (relative), which five layers add up. */
const HALF_TOLERANCES = { float16: 2e-2, bfloat16: 1e-1 };

const tensorsOf = (path: string): NamedTensors => readSafetensors(readFileSync(path), path);
const asInt32 = ({ shape, data }: HostTensor) =>
  hostTensor("int32", shape, Int32Array.from(data as BigInt64Array, Number));
const INPUTS = ["input_ids", "token_type_ids", "attention_mask"] as const;

/** The three inputs as rows [rows, seq]. */
function inputsOf(tensors: NamedTensors): Record<string, HostTensor> {
  return Object.fromEntries(
    INPUTS.map((name) => {
      const { shape, data } = asInt32(tensors.get(name) as HostTensor);
      const seq = shape.at(-1) as number;
      return [name, hostTensor("int32", [data.length / seq, seq], data)];
    }),
  );
}

/** A graph over the encoder. @param build - from the last hidden state and the rows' sizes to outputs. */
function graphOf(
  config: BertConfig,
  [rows, seq]: readonly number[],
  build: (
    context: ReturnType<typeof modelContext>,
    states: readonly Tensor[],
    pooled: () => Tensor,
  ) => Record<string, Tensor>,
) {
  const context = modelContext();
  const [inputIds, tokenTypeIds, attentionMask] = INPUTS.map((name) =>
    input(name, "int32", [rows as number, seq as number]),
  ) as [Tensor, Tensor, Tensor];
  const states = encoder(context, config, { inputIds, tokenTypeIds, attentionMask });
  const pooled = () => pooler(context, config, states.at(-1) as Tensor, rows as number, seq as number);
  return buildGraph(build(context, states, pooled));
}

describeShared("reference/bert-tiny", "the reference model", (folder) => {
  const base = parseConfig(JSON.parse(readFileSync(join(folder, "config.json"), "utf8")), "config.json");
  const expected = tensorsOf(join(folder, "expected/expected.safetensors"));
  const inputs = inputsOf(tensorsOf(join(folder, "expected/inputs.safetensors")));

  async function expectForward(name: string, hiddenAct: BertConfig["hiddenAct"], tolerance: number) {
    const { named } = await openPretrained(join(folder, name));
    const weights = new Map([...readTensors(named.tensors)].map(([key, tensor]) => [key, toFloat32(tensor)]));
    const config = { ...base, hiddenAct };
    const graph = graphOf(config, [13, 7], (context, states, pooled) => ({
      ...Object.fromEntries(states.map((state, layer) => [`${layer}`, state])),
      pooled_output: pooled(),
      mlm_logits: maskedLmHead(context, config, states.at(-1) as Tensor),
      nsp_logits: nextSentenceHead(context, pooled()),
    }));
    const executable = await runtime.compile(graph, { weights });
    const outputs = await executable.run(inputs);
    await executable.dispose();
    const want = (output: string) => numbers(expected.get(`${hiddenAct}.${output}`));
    const size = want("hidden_states").length / (base.numHiddenLayers + 1);
    for (let layer = 0; layer <= base.numHiddenLayers; layer++) {
      const state = want("hidden_states").slice(layer * size, (layer + 1) * size);
      expectClose(numbers(outputs[`${layer}`]), state, tolerance);
    }
    for (const output of ["pooled_output", "mlm_logits", "nsp_logits"]) {
      expectClose(numbers(outputs[output]), want(output), tolerance);
    }
  }

  describe.each(["gelu", "gelu_new"] as const)("with %s", (hiddenAct) => {
    test.each([
      "model.safetensors",
      "sharded/model.safetensors.index.json",
      "sharded/pytorch_model.bin.index.json",
      "pytorch_model.bin",
      "pytorch_model.legacy.bin",
      "pytorch_model.gamma-beta.bin",
      "tf",
      "tf/two-shards",
      "tf/snappy-index",
      "tf/chinese_wwm_L-5_H-32_A-4.zip",
      "tf2/tf_model.h5",
      "paddle/model_state.pdparams",
      "paddle/model_state.protocol2.pdparams",
      "paddle/model_state.numpy2.pdparams",
    ])("%s", async (name) => {
      await expectForward(name, hiddenAct, FORWARD_TOLERANCE);
    });
  });

  test.each(["float16", "bfloat16"] as const)("%s weights, as safetensors and as .bin", async (dtype) => {
    await expectForward(`${dtype}.safetensors`, "gelu", HALF_TOLERANCES[dtype]);
    await expectForward(`${dtype}.bin`, "gelu", HALF_TOLERANCES[dtype]);
  });

  const classes = (labels: number) => (context: ReturnType<typeof modelContext>, pooled: () => Tensor) => ({
    logits: sequenceClassificationHead(context, pooled(), labels),
  });
  test.each<
    [string, (context: ReturnType<typeof modelContext>, pooled: () => Tensor, last: Tensor) => Record<string, Tensor>]
  >([
    ["sequence-classification", classes(3)],
    ["sequence-multi-label", classes(5)],
    ["sequence-regression", classes(1)],
    ["token-classification", (context, _, last) => ({ logits: tokenClassificationHead(context, last, 9) })],
    ["multiple-choice", (context, pooled) => ({ logits: multipleChoiceHead(context, pooled(), 3, 4) })],
    [
      "question-answering",
      (context, _, last) => {
        const [start_logits, end_logits] = questionAnsweringHead(context, last);
        return { start_logits, end_logits };
      },
    ],
  ])("the head of %s", async (task, head) => {
    const fixture = tensorsOf(join(folder, `expected/${task}.safetensors`));
    const own = inputsOf(fixture);
    const graph = graphOf(base, own["input_ids"]?.shape ?? [], (context, states, pooled) =>
      head(context, pooled, states.at(-1) as Tensor),
    );
    const weights = new Map([...tensorsOf(join(folder, "model.safetensors")), ...fixture]);
    const executable = await runtime.compile(graph, { weights });
    const outputs = await executable.run(own);
    for (const [name, output] of Object.entries(outputs)) {
      expectClose(numbers(output), numbers(fixture.get(name)), FORWARD_TOLERANCE);
    }
    expect(Object.keys(outputs)).toHaveLength(task === "question-answering" ? 2 : 1);
  });
});

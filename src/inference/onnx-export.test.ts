/** Exported ONNX models, run by ONNX Runtime without its own operators, against PyTorch's numbers. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fromBinary } from "@bufbuild/protobuf";
import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { expectClose, numbers } from "../../test/graph-checks.ts";
import { lazyTensors } from "../checkpoint/format.ts";
import { readSafetensors } from "../checkpoint/formats/safetensors.ts";
import { type BertConfig, parseConfig } from "../model/config.ts";
import { ModelProtoSchema } from "../onnx/_onnx_pb.ts";
import type { HostTensor, NamedTensors } from "../util/tensor.ts";
import { exportOnnx, type OnnxExport, type OnnxExportOptions } from "./onnx-export.ts";

const fixture = (name: string) => fileURLToPath(new URL(`../../test/fixtures/bert-tiny/${name}`, import.meta.url));
const tensors = (name: string): NamedTensors => readSafetensors(readFileSync(fixture(name)), name);

const published = parseConfig(JSON.parse(readFileSync(fixture("config.json"), "utf8")), "config.json");
const weights = lazyTensors(tensors("model.safetensors"));
const inputs = tensors("forward-inputs.safetensors");
const expected = tensors("forward.safetensors");

/** Round-off of five layers, as in test/forward-parity.test.ts. */
const TOLERANCE = 1e-5;

function exported(options: OnnxExportOptions, config: BertConfig = published, without?: RegExp): OnnxExport {
  const kept = new Map([...weights].filter(([name]) => !without?.test(name)));
  return exportOnnx({ config, weights: kept, where: "model.safetensors" }, options);
}

function bytesOf({ files }: OnnxExport, path: string): Uint8Array {
  return Buffer.concat([...(files.find((file) => file.path === path)?.chunks ?? [])]);
}

async function run(model: Uint8Array, data?: Uint8Array, feeds: NamedTensors = inputs) {
  const session = await ort.InferenceSession.create(
    model,
    data ? { externalData: [{ path: "model.onnx_data", data }] } : {},
  );
  const given = [...feeds].map(([name, tensor]) => [
    name,
    new ort.Tensor("int64", tensor.data as BigInt64Array, tensor.shape),
  ]);
  const outputs = await session.run(Object.fromEntries(given));
  const [inputNames, outputNames] = [session.inputNames, session.outputNames];
  await session.release();
  return { outputs: outputs as unknown as Record<string, HostTensor & { dims: number[] }>, inputNames, outputNames };
}

function lastState(hiddenAct: string): number[] {
  const states = numbers(expected.get(`${hiddenAct}.hidden_states`));
  return states.slice(-states.length / (published.numHiddenLayers + 1));
}

const activations = ["gelu", "gelu_new"] as const;

describe.each([13, 14, 15, 16, 17, 18, 19, 20, 21])("operator version %i", (opset) => {
  test.each(activations)("hidden states, pooled output and both logits equal PyTorch with %s", async (hiddenAct) => {
    const config = { ...published, hiddenAct };
    const features = await run(bytesOf(exported({ opset }, config), "onnx/model.onnx"));
    expectClose(numbers(features.outputs["last_hidden_state"]), lastState(hiddenAct), TOLERANCE);
    expectClose(
      numbers(features.outputs["pooler_output"]),
      numbers(expected.get(`${hiddenAct}.pooled_output`)),
      TOLERANCE,
    );
    const heads = await run(bytesOf(exported({ opset, task: "pretraining" }, config), "onnx/model.onnx"));
    const want = (name: string) => numbers(expected.get(`${hiddenAct}.${name}`));
    expectClose(numbers(heads.outputs["prediction_logits"]), want("mlm_logits"), TOLERANCE);
    expectClose(numbers(heads.outputs["seq_relationship_logits"]), want("nsp_logits"), TOLERANCE);
  });

  test("says its versions and uses none but ONNX's own operators", () => {
    const file = fromBinary(ModelProtoSchema, bytesOf(exported({ opset }), "onnx/model.onnx"));
    expect(file.opsetImport.map(({ domain, version }) => [domain, version])).toEqual([["", BigInt(opset)]]);
    expect(file.graph?.node.filter(({ domain }) => domain !== "")).toEqual([]);
    const types = new Set(file.graph?.node.map(({ opType }) => opType));
    expect([types.has("LayerNormalization"), types.has("Gelu")]).toEqual([opset >= 17, opset >= 20]);
  });
});

test("names of inputs, outputs and axes are those of Optimum and transformers.js", async () => {
  const model = bytesOf(exported({ task: "fill-mask" }), "onnx/model.onnx");
  const { inputNames, outputNames, outputs } = await run(model);
  expect(inputNames).toEqual(["input_ids", "attention_mask", "token_type_ids"]);
  expect(outputNames).toEqual(["logits"]);
  expect(outputs["logits"]?.dims).toEqual([13, 7, 99]);
  const axes = fromBinary(ModelProtoSchema, model).graph?.input.map(({ type }) =>
    type?.value.case === "tensorType" ? type.value.value.shape?.dim.map(({ value }) => value.value) : [],
  );
  expect(axes).toEqual(Array(3).fill(["batch_size", "sequence_length"]));
});

test("one model takes batches of any size", async () => {
  const row = (tensor: HostTensor): HostTensor => ({
    dtype: "int64",
    shape: [1, 3],
    data: (tensor.data as BigInt64Array).slice(0, 3),
  });
  const some = new Map([...inputs].map(([name, tensor]) => [name, row(tensor)]));
  const { outputs } = await run(bytesOf(exported({}), "onnx/model.onnx"), undefined, some);
  expect(outputs["last_hidden_state"]?.dims).toEqual([1, 3, 32]);
});

test("weights beside the model give the same numbers as weights inside of it", async () => {
  const inside = await run(bytesOf(exported({}), "onnx/model.onnx"));
  const beside = exported({ externalData: true });
  expect(beside.files.map(({ path }) => path)).toEqual(["onnx/model.onnx_data", "onnx/model.onnx"]);
  const model = bytesOf(beside, "onnx/model.onnx");
  expect(model.length).toBeLessThan(beside.weightBytes / 2);
  const { outputs } = await run(model, bytesOf(beside, "onnx/model.onnx_data"));
  expect(numbers(outputs["last_hidden_state"])).toEqual(numbers(inside.outputs["last_hidden_state"]));
});

test("weights in float16 take half of the room and stay within their rounding", async () => {
  const half = exported({ dtype: "float16" });
  expect(half.weightBytes).toBe(exported({}).weightBytes / 2);
  const { outputs } = await run(bytesOf(half, "onnx/model_fp16.onnx"));
  expectClose(numbers(outputs["last_hidden_state"]), lastState("gelu"), 0.01);
});

test("each weight is read when its chunk is taken", () => {
  let reads = 0;
  const counted = new Map(
    [...weights].map(([name, tensor]) => [
      name,
      {
        ...tensor,
        read: () => {
          reads += 1;
          return tensor.read();
        },
      },
    ]),
  );
  const [file] = exportOnnx({ config: published, weights: counted, where: "" }).files;
  expect(reads).toBe(0);
  const chunks = file?.chunks[Symbol.iterator]();
  while (reads < 3) chunks?.next();
  expect(reads).toBe(3);
});

describe("models that lack a part", () => {
  test("without pooler: features leave its output out", async () => {
    const features = exported({}, published, /pooler/);
    expect(features.written.filter((name) => !name.startsWith("bert.e"))).toEqual([]);
    const { outputNames } = await run(bytesOf(features, "onnx/model.onnx"));
    expect(outputNames).toEqual(["last_hidden_state"]);
    expect(() => exported({ task: "pretraining" }, published, /pooler/)).toThrow("bert.pooler.dense.weight");
  });

  test("without MLM head: no fill-mask, but features", () => {
    expect(() => exported({ task: "fill-mask" }, published, /^cls/)).toThrow("cls.predictions");
    expect(exported({}, published, /^cls/).written).toContain("bert.pooler.dense.weight");
  });
});

test("weights beyond what a model can hold go beside it, or are refused inside", () => {
  const config = { ...published, vocabSize: 2 ** 24 };
  const huge = new Map(weights);
  for (const [name, shape] of [
    ["bert.embeddings.word_embeddings.weight", [config.vocabSize, config.hiddenSize]],
    ["cls.predictions.bias", [config.vocabSize]],
  ] as const) {
    huge.set(name, { dtype: "float32", shape, read: () => expect.unreachable() });
  }
  const parts = { config, weights: huge, where: "" };
  expect(exportOnnx(parts).isExternal).toBe(true);
  expect(() => exportOnnx(parts, { externalData: false })).toThrow("inside of the model");
});

test.each([12, 22, 17.5])("operator version %s is refused", (opset) => {
  expect(() => exported({ opset })).toThrow("an operator version from 13 to 21");
});

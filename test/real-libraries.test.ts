/**
 * What zhbert writes, loaded by the libraries that it is written for, bit for bit: test/python/real_libraries.py.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { convertDType } from "../src/checkpoint/convert-dtype.ts";
import { lazyTensors, readTensors } from "../src/checkpoint/format.ts";
import { exportGraph, exportTasks } from "../src/model/export-graphs.ts";
import { type ConvertOptions, convert } from "../src/node/convert.ts";
import { createOnnxRuntime } from "../src/node/onnxruntime.ts";
import { type HostTensor, hostTensor, type NamedTensors, tensorBytes } from "../src/util/tensor.ts";
import { describeLibrary, PYTHON_TIMEOUT_MS, runPython } from "./real-python.ts";
import { smallConfig, smallModelFolder, smallWeights } from "./small-model.ts";

const weights = smallWeights();
let model: ReturnType<typeof smallModelFolder>;
beforeAll(() => {
  model = smallModelFolder(weights);
});
afterAll(() => model.remove());

/** Converts the model; gives the new folder. */
async function converted(name: string, options: ConvertOptions): Promise<string> {
  const folder = join(model.path, name);
  await convert(model.path, folder, options);
  return folder;
}

/** The tensors as the script reads them, without any format of ours. */
function truth(tensors: NamedTensors): string {
  const entries = [...tensors].map(([name, tensor]) => [
    name,
    { shape: tensor.shape, dtype: tensor.dtype, base64: Buffer.from(tensorBytes(tensor)).toString("base64") },
  ]);
  const path = join(model.path, `truth-${tensors.values().next().value?.dtype}.json`);
  writeFileSync(path, JSON.stringify(Object.fromEntries(entries)));
  return path;
}

function rounded(dtype: "float32" | "float16" | "bfloat16"): NamedTensors {
  return readTensors(convertDType(lazyTensors(weights), dtype));
}

function check(python: string, name: string, folder: string, tensors = weights): Record<string, number> {
  const result = runPython(python, "real_libraries.py", [name, folder, truth(tensors)]);
  expect(result.tensors).toBe(weights.size);
  return result;
}

/** NumPy has no bfloat16, and Paddle's files hold NumPy's arrays. */
const dtypesOf = (to: string) =>
  (["float32", "float16", "bfloat16"] as const).filter((dtype) => to !== "paddle" || dtype !== "bfloat16");

const formats = [
  ["PyTorch loads pytorch_model.bin with weights_only, by memory map too", ["torch"], "pytorch", "torch_load"],
  ["safetensors loads model.safetensors", ["safetensors", "torch"], "safetensors", "safetensors_load"],
  ["TensorFlow reads the checkpoint", ["tensorflow-cpu"], "tensorflow", "tensorflow_load"],
  ["Paddle loads model_state.pdparams", ["paddlepaddle"], "paddle", "paddle_load"],
] as const;

for (const [title, packages, to, name] of formats) {
  describeLibrary(packages, title, (python) => {
    test.each(dtypesOf(to))(
      "%s: names, shapes and every bit",
      async (dtype) => {
        check(python, name, await converted(`${to}-${dtype}`, { to, dtype }), rounded(dtype));
      },
      PYTHON_TIMEOUT_MS,
    );
  });
}

describeLibrary(["torch"], "PyTorch loads shards", (python) => {
  test(
    "with the index that says where each tensor is",
    async () => {
      const folder = await converted("shards", { to: "pytorch", maxShardBytes: 3000 });
      expect(check(python, "torch_shards", folder)["shards"]).toBeGreaterThan(2);
    },
    PYTHON_TIMEOUT_MS,
  );
});

describeLibrary(["transformers", "torch"], "Transformers' BertForPreTraining loads the folder", (python) => {
  test.each([
    ["safetensors", { to: "safetensors" }],
    ["safetensors in shards", { to: "safetensors", maxShardBytes: 3000 }],
    ["pytorch", { to: "pytorch" }],
    ["pytorch in shards", { to: "pytorch", maxShardBytes: 3000 }],
  ] as const)(
    "%s: nothing is missing, nothing is left over",
    async (name, options) => {
      check(python, "transformers_load", await converted(`transformers ${name}`, options));
    },
    PYTHON_TIMEOUT_MS,
  );
});

/** What our own engine computes for the inputs of the script, for every task. */
async function ourOutputs(): Promise<Record<string, { shape: readonly number[]; data: number[] }>> {
  const ids = (values: readonly number[]): HostTensor =>
    hostTensor("int64", [2, 6], BigInt64Array.from(values, BigInt));
  const inputs = {
    input_ids: ids([2, 5, 6, 4, 8, 3, 2, 9, 3, 0, 0, 0]),
    attention_mask: ids([1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]),
    token_type_ids: ids([0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]),
  };
  const runtime = createOnnxRuntime({ threads: 1 });
  const outputs: Record<string, { shape: readonly number[]; data: number[] }> = {};
  for (const task of exportTasks) {
    const executable = await runtime.compile(exportGraph(smallConfig, task), { weights });
    for (const [name, { shape, data }] of Object.entries(await executable.run(inputs))) {
      outputs[name] = { shape, data: Array.from(data as Float32Array) };
    }
  }
  await runtime.dispose();
  return outputs;
}

describeLibrary(["onnx", "onnxruntime"], "ONNX accepts the models, and ONNX Runtime gives our numbers", (python) => {
  test(
    "every task and version of operators, weights inside and beside, float16",
    async () => {
      const root = join(model.path, "onnx-models");
      for (const task of exportTasks) {
        for (const opset of [13, 17, 18, 20, 21]) {
          await convert(model.path, join(root, `${task}-${opset}`), { to: "onnx", task, opset });
        }
        await convert(model.path, join(root, `${task}-beside`), { to: "onnx", task, externalData: true });
        await convert(model.path, join(root, `${task}-half`), { to: "onnx", task, dtype: "float16" });
      }
      writeFileSync(join(root, "outputs.json"), JSON.stringify(await ourOutputs()));
      expect(check(python, "onnx_check", root)["models"]).toBe(7 * exportTasks.length);
    },
    PYTHON_TIMEOUT_MS,
  );
});

describeLibrary(["transformers", "torch", "onnxruntime"], "The ONNX model computes as Transformers does", (python) => {
  test(
    "both heads of pre-training",
    async () => {
      const folder = await converted("both", { to: "safetensors" });
      await convert(folder, folder, { to: "onnx", task: "pretraining" });
      const differences = check(python, "onnx_transformers", folder);
      expect(Object.keys(differences).sort()).toEqual(["prediction_logits", "seq_relationship_logits", "tensors"]);
    },
    PYTHON_TIMEOUT_MS,
  );
});

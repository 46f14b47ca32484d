/**
 * What zhbert writes, loaded by the libraries that it is written for, bit for bit: test/python/real_libraries.py.
 *
 * Python is ZHBERT_TEST_PYTHON (one interpreter or several, as in PATH; for each library the first that has it), or the
 * virtual environment that .ci/run makes. A library that is not there skips its tests, with the reason.
 */
import { spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { convertDType } from "../src/checkpoint/convert-dtype.ts";
import { lazyTensors, readTensors } from "../src/checkpoint/format.ts";
import { exportGraph, exportTasks } from "../src/model/export-graphs.ts";
import { type ConvertOptions, convert } from "../src/node/convert.ts";
import { createOnnxRuntime } from "../src/node/onnxruntime.ts";
import { type HostTensor, hostTensor, type NamedTensors, tensorBytes } from "../src/util/tensor.ts";
import { smallConfig, smallModelFolder, smallWeights } from "./small-model.ts";

const script = fileURLToPath(new URL("./python/real_libraries.py", import.meta.url));
const ciPython = fileURLToPath(new URL("../.ci/venv/bin/python", import.meta.url));
const PACKAGES = [
  "torch",
  "safetensors",
  "tensorflow-cpu",
  "paddlepaddle",
  "onnx",
  "onnxruntime",
  "transformers",
] as const;
type Package = (typeof PACKAGES)[number];
/** The first import of a large library reads it from a cold disk. */
const TIMEOUT_MS = 240_000;

interface Python {
  readonly command: string;
  readonly versions: Readonly<Record<string, string | null>>;
}

function findPythons(): Python[] {
  const named = process.env["ZHBERT_TEST_PYTHON"]?.split(delimiter).filter((command) => command !== "");
  const commands = named ?? (existsSync(ciPython) ? [ciPython] : []);
  return commands.flatMap((command) => {
    const { status, stdout } = spawnSync(command, [script, "has", ...PACKAGES], { encoding: "utf8" });
    if (status === 0) return [{ command, versions: JSON.parse(stdout) as Record<string, string | null> }];
    console.log(`real libraries: ${command} is no Python that runs`);
    return [];
  });
}

const pythons = findPythons();

/** Tests that need some packages in one Python; skipped with a printed reason where there is none. */
function describeLibrary(packages: readonly Package[], title: string, body: (python: string) => void): void {
  const python = pythons.find(({ versions }) => packages.every((name) => versions[name]));
  if (python !== undefined) {
    const shown = packages.map((name) => `${name} ${python.versions[name]}`);
    describe(`${title} (${shown.join(", ")})`, () => body(python.command));
    return;
  }
  const reason =
    pythons.length === 0
      ? "no Python: set ZHBERT_TEST_PYTHON to one, or let .ci/run make .ci/venv"
      : `no Python has ${packages.join(" and ")}`;
  console.log(`skipped: ${title}: ${reason}`);
  describe(title, () => test.skip(reason));
}

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
  const { status, stdout, stderr } = spawnSync(python, [script, name, folder, truth(tensors)], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${name} of ${folder} failed:\n${stderr}`);
  const result = JSON.parse(stdout.trim().split("\n").at(-1) as string);
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
      TIMEOUT_MS,
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
    TIMEOUT_MS,
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
    TIMEOUT_MS,
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
    TIMEOUT_MS,
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
    TIMEOUT_MS,
  );
});

/** A quantised model as ONNX: checked, and run by ONNX Runtime in Python with the numbers of zhbert. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ModelPrograms } from "../src/inference/programs.ts";
import { exportGraph, exportTasks } from "../src/model/export-graphs.ts";
import { parameterShapes } from "../src/model/initialize.ts";
import { matchInferenceWeights } from "../src/model/quantized-weights.ts";
import { loadPretrained } from "../src/node/bert-model.ts";
import { convert } from "../src/node/convert.ts";
import { createOnnxRuntime } from "../src/node/onnxruntime.ts";
import { quantize } from "../src/node/quantize.ts";
import { hostTensor } from "../src/util/tensor.ts";
import { describeLibrary, PYTHON_TIMEOUT_MS, runPython } from "./real-python.ts";
import { smallModelFolder } from "./small-model.ts";

/** Those of INPUTS in test/python/real_libraries.py. */
const tokens = (values: readonly number[]) => hostTensor("int64", [2, 6], BigInt64Array.from(values, BigInt));
const inputs = {
  input_ids: tokens([2, 5, 6, 4, 8, 3, 2, 9, 3, 0, 0, 0]),
  attention_mask: tokens([1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]),
  token_type_ids: tokens([0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0]),
};
const texts = [..."今天气很好我爱北京的一是不了"].map((_, i, all) => all.slice(0, i + 1).join(""));

/** What zhbert's own engine gives for a quantised folder. */
async function ourOutputs(folder: string) {
  const { config, named, where } = await loadPretrained(folder);
  const shapes = parameterShapes(config, { nextSentence: true });
  const matched = matchInferenceWeights(named.tensors, shapes, where, config.quantization);
  const runtime = createOnnxRuntime({ threads: 1 });
  const programs = new ModelPrograms({ config, ...matched, runtime, where });
  const outputs: Record<string, { shape: readonly number[]; data: number[] }> = {};
  for (const task of exportTasks) {
    const program = await programs.get(task, () => exportGraph(config, task));
    for (const [name, { shape, data }] of Object.entries(await program.run(inputs))) {
      outputs[name] = { shape, data: Array.from(data as Float32Array) };
    }
  }
  await runtime.dispose();
  return outputs;
}

describeLibrary(["onnx", "onnxruntime"], "ONNX Runtime runs quantised models as zhbert does", (python) => {
  test.each(["static", "dynamic"] as const)(
    "%s, every task, versions 13 to 21 of the operators, weights inside and beside",
    async (mode) => {
      const model = smallModelFolder();
      const root = mkdtempSync(join(tmpdir(), "zhbert-quantised-onnx-"));
      try {
        const quantised = join(root, "quantised");
        await quantize(model.path, quantised, { texts, mode, threads: 1, targetCosine: 0 });
        const models = join(root, "onnx");
        for (const task of exportTasks) {
          for (const opset of [13, 17, 21]) {
            await convert(quantised, join(models, `${task}-${opset}`), { to: "onnx", task, opset });
          }
          await convert(quantised, join(models, `${task}-beside`), { to: "onnx", task, externalData: true });
        }
        writeFileSync(join(models, "outputs.json"), JSON.stringify(await ourOutputs(quantised)));
        // The tensors of files that are looked at byte by byte: none here.
        writeFileSync(join(root, "truth.json"), "{}");
        const checked = runPython(python, "real_libraries.py", ["onnx_check", models, join(root, "truth.json")]);
        expect(checked.models).toBe(4 * exportTasks.length);
      } finally {
        model.remove();
        rmSync(root, { recursive: true, force: true });
      }
    },
    PYTHON_TIMEOUT_MS,
  );
});

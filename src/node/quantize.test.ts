/** A model quantised as a whole: what is written, that everything reads it, what it costs, and what is refused. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { smallModelFolder } from "../../test/small-model.ts";
import { smallTaskFolder } from "../../test/small-task.ts";
import { ConfigError, DataError, FileError } from "../errors.ts";
import { quantizedIn } from "../model/quantized-weights.ts";
import type { TextExample } from "../tasks/examples.ts";
import { BertModel, loadPretrained } from "./bert-model.ts";
import { convert } from "./convert.ts";
import { createOnnxRuntime } from "./onnxruntime.ts";
import { pipeline } from "./pipeline.ts";
import { type QuantizeOptions, quantize } from "./quantize.ts";

const CHARACTERS = [..."今天气很好我爱北京的一是不了在人有他这中大来上"];
const texts = Array.from({ length: 24 }, (_, i) =>
  Array.from({ length: 3 + (i % 9) }, (__, at) => CHARACTERS[(7 * i + 5 * at) % CHARACTERS.length]).join(""),
);
const runtime = createOnnxRuntime({ threads: 1 });
const root = mkdtempSync(join(tmpdir(), "zhbert-quantize-"));
const out = (name: string) => join(root, name);
let model: ReturnType<typeof smallModelFolder>;
let task: ReturnType<typeof smallTaskFolder>;
const run = (name: string, folder: string, options: Partial<QuantizeOptions> = {}) =>
  quantize(name, out(folder), { texts, runtime, targetCosine: 0, ...options });

beforeAll(() => {
  model = smallModelFolder();
  task = smallTaskFolder({ task: "classify", maxSeqLength: 16, labels: ["no", "yes"] });
});
afterAll(async () => {
  await runtime.dispose();
  model.remove();
  task.remove();
  rmSync(root, { recursive: true, force: true });
});

describe.each(["static", "dynamic"] as const)("%s", (mode) => {
  test("is a quarter of the size, near the float model but not the same, and reads as any model", async () => {
    const { forms, files, texts: counts } = await run(model.path, mode, { mode });
    expect(counts).toEqual({ calibration: 18, heldOut: 6 });
    const [float, ...others] = forms;
    expect(float).toMatchObject({ form: "float32", cosine: 1 });
    expect(others.map(({ form }) => form)).toEqual(["static", "dynamic"]);
    for (const { cosine, heads } of others) {
      expect(cosine).toBeGreaterThan(0.99);
      expect(cosine).toBeLessThan(0.9999999);
      expect(Object.keys(heads)).toEqual(["pooled_output", "mlm_logits", "nsp_logits"]);
    }
    expect(files.map(({ path }) => path)).toContain("model.safetensors");
    const bytes = forms.find(({ form }) => form === mode)?.bytes ?? 0;
    expect(statSync(join(out(mode), "model.safetensors")).size).toBeGreaterThan(bytes);

    const [before, after] = await Promise.all(
      [model.path, out(mode)].map((path) => BertModel.fromPretrained(path, { runtime })),
    );
    const vectors = async (of: BertModel | undefined) => (await of?.embed(texts.slice(0, 3))) ?? [];
    const [a, b] = [await vectors(before), await vectors(after)];
    a.forEach((vector, i) => {
      expect(cosine(vector, b[i] as Float32Array)).toBeGreaterThan(0.99);
      expect(Array.from(b[i] as Float32Array)).not.toEqual(Array.from(vector));
    });
    expect(after?.report.missing).toEqual([]);
    expect(after?.report.unexpected).toEqual([]);
    expect(after?.inspectMlmHead().state).toBe("trained");
    const filled = await after?.fillMask(["今天[MASK]很好"]);
    expect(filled?.[0]?.masks[0]).toHaveLength(5);
    await Promise.all([before?.dispose(), after?.dispose()]);
  });
});

test("static vectors of a text are the same whatever stands beside it", async () => {
  await run(model.path, "alone");
  const quantised = await BertModel.fromPretrained(out("alone"), { runtime });
  const [together] = await quantised.embed(texts.slice(0, 5));
  const [alone] = await quantised.embed(texts.slice(0, 1));
  expect(cosine(together as Float32Array, alone as Float32Array)).toBeGreaterThan(0.999999);
  await quantised.dispose();
});

test("config.json and the tensors say what is int8 and what is not", async () => {
  await run(task.path, "named");
  const { named, config } = await loadPretrained(out("named"));
  expect(config.quantization).toEqual({ activations: "static", ignore: ["classifier"] });
  const integers = quantizedIn(named.tensors);
  expect(integers).toHaveLength(1 + 2 * 6 + 1);
  expect(integers).toContain("bert.embeddings.word_embeddings.weight");
  for (const name of integers) expect(named.tensors.get(`${name}_scale`)?.dtype).toBe("float32");
  expect(named.tensors.get("classifier.weight")?.dtype).toBe("float32");
  expect(named.tensors.get("bert.encoder.layer.0.output.dense.input_scale")?.shape).toEqual([1]);
  const json = JSON.parse(readFileSync(join(out("named"), "config.json"), "utf8"));
  expect(json.quantization_config).toMatchObject({ quant_method: "compressed-tensors", format: "int-quantized" });
  expect(json.id2label).toEqual({ 0: "no", 1: "yes" });
});

test("sensitive layers stay in float where a cosine is asked for that cannot be had with all", async () => {
  const { forms, layers } = await run(model.path, "kept", { targetCosine: 1, maxFloatShare: 0.3 });
  const [, found] = forms;
  expect(found?.kept.length).toBeGreaterThan(0);
  const worst = [...layers].sort((a, b) => b.error - a.error)[0]?.module;
  expect(found?.kept).toContain(worst);
  const { named, config } = await loadPretrained(out("kept"));
  for (const module of found?.kept ?? []) {
    const weight = named.tensors.get(`${module}.weight`);
    if (weight !== undefined) expect(weight.dtype).toBe("float32");
    expect(config.quantization?.ignore).toContain(module);
    expect(named.tensors.has(`${module}.input_scale`)).toBe(false);
  }
});

test("the metric of each form on labelled examples; the pipeline runs what was written", async () => {
  const asked: string[] = [];
  const examples = async (name: string): Promise<readonly TextExample[]> => {
    asked.push(name);
    return texts.map((text, i) => ({ text, label: i % 2 === 0 ? "no" : "yes" }));
  };
  const { forms, measured } = await run(task.path, "measured", { examples });
  expect(asked).toEqual(["classify"]);
  expect(measured).toEqual({ metric: "accuracy", examples: 24 });
  for (const { metric } of forms) expect(metric).toBeGreaterThan(0);
  const classify = await pipeline("text-classification", out("measured"), { runtime });
  const plain = await pipeline("text-classification", task.path, { runtime });
  const [quantised, floats] = [await classify(texts), await plain(texts)];
  const same = quantised.filter(([best], i) => best?.label === floats[i]?.[0]?.label).length;
  expect(same).toBeGreaterThanOrEqual(22);
  expect(quantised.map(([best]) => best?.score)).not.toEqual(floats.map(([best]) => best?.score));
});

describe("refused", () => {
  test.each<[number, RegExp]>([
    [0, /texts: expected 8 texts or more.*got none/],
    [7, /got 7/],
  ])("%i texts", async (count, message) => {
    const few = run(model.path, "few", { texts: texts.slice(0, count).concat(["", "  "]) });
    await expect(few).rejects.toThrow(DataError);
    await expect(few).rejects.toThrow(message);
    expect(existsSync(out("few"))).toBe(false);
  });

  test("a model that is quantised already, and its training and conversion", async () => {
    await run(task.path, "once");
    const again = run(out("once"), "twice");
    await expect(again).rejects.toThrow(ConfigError);
    await expect(again).rejects.toThrow(/quantised already/);
    await expect(convert(out("once"), out("tf"), { to: "tensorflow" })).rejects.toThrow(/float weights to convert/);
    const half = convert(out("once"), out("half"), { to: "onnx", dtype: "float16" });
    await expect(half).rejects.toThrow(/what is not quantised stays float32/);
  });

  test("a folder with another model in it, and the model's own", async () => {
    await run(model.path, "full");
    await expect(run(task.path, "full")).rejects.toThrow(FileError);
    await expect(quantize(model.path, model.path, { texts, runtime, overwrite: true })).rejects.toThrow(/input/);
    await run(task.path, "full", { overwrite: true });
  });

  test("few texts are noted", async () => {
    const notes: string[] = [];
    await run(model.path, "noted", { onNote: (note) => notes.push(note) });
    expect(notes.join()).toContain("24 texts are few");
  });
});

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * (y[i] as number), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

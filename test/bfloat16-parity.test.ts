/**
 * The reference model at bfloat16: hidden states, heads, losses and gradients against PyTorch in float32 and double precision,
 * within what the rounding of every intermediate tensor explains. docs/runtimes.md derives the bounds.
 */
import { readFileSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { readSafetensors } from "../src/checkpoint/formats/safetensors.ts";
import { gradients } from "../src/graph/autodiff.ts";
import { buildGraph, input, parameter, type Tensor } from "../src/graph/graph.ts";
import { isHighest, meanCrossEntropy } from "../src/graph/ops/cross-entropy.ts";
import { linear } from "../src/graph/ops/matmul.ts";
import { parseConfig } from "../src/model/config.ts";
import { hiddenStatesGraph } from "../src/model/hidden-states.ts";
import { createOpenVinoRuntime } from "../src/node/openvino.ts";
import { compilePretraining } from "../src/train/compile-pretraining.ts";
import { PretrainingStep } from "../src/train/pretraining-step.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../src/util/tensor.ts";
import { storedBatch } from "./bert-tiny-batches.ts";
import { randomTensor } from "./graph-checks.ts";
import { describeOpenVino } from "./runtimes.ts";

/** bfloat16 has 8 significant bits: a rounding is off by 2^-8 at most, and by 2^-8 / sqrt 3 in the mean square. */
const UNIT_ROUNDOFF = 2 ** -8;

/** Roundings of a layer, of which each may be as large as the whole state: 3 in the attention, 3 after it, 4 in the feed-forward part. */
const ROUNDINGS_PER_LAYER = 10;

/** Independent errors add up in the mean square: relative to the norm, after so many layers. */
const forwardBound = (layers: number) => UNIT_ROUNDOFF * Math.sqrt((ROUNDINGS_PER_LAYER * layers) / 3);

/** Back through a layer are two products for each one forward, and what lies between them: four times the roundings in all. */
const gradientBound = (layers: number) => 2 * forwardBound(layers);

/** Scores are few numbers, of which some are further off than the mean square: by the square root of 3. */
const scoreBound = (layers: number) => Math.sqrt(3) * forwardBound(layers);

const folder = new URL("fixtures/bert-tiny/", import.meta.url);
const tensors = (name: string): NamedTensors => readSafetensors(readFileSync(new URL(name, folder)), name);
const json = (name: string) => JSON.parse(readFileSync(new URL(name, folder), "utf8"));
const config = parseConfig(json("config.json"), "config.json");
const LAYERS = config.numHiddenLayers;

/** The norm of the difference over that of the reference. */
function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [difference, norm] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const value = Number(expected[i]);
    difference += (Number(actual[i]) - value) ** 2;
    norm += value ** 2;
  }
  return Math.sqrt(difference / norm);
}

describeOpenVino("bfloat16 on the CPU", async (library) => {
  const runtime = await createOpenVinoRuntime({ threads: 2, precision: "bf16", library });
  afterAll(() => runtime.dispose());
  if (runtime.precision !== "bf16") {
    console.log("skipped: bfloat16: this processor has none");
    describe("bfloat16", () => test.skip("this processor has no bfloat16"));
    return;
  }

  test("the gradient of a loss over more classes than bfloat16 tells apart", async () => {
    const [rows, width, classes] = [64, 32, 1000];
    const shapes = { x: [rows, width], w: [classes, width] } as const;
    const inputs = {
      x: randomTensor(1, shapes.x),
      w: randomTensor(2, shapes.w),
      labels: hostTensor(
        "int32",
        [rows],
        Int32Array.from({ length: rows }, (_, i) => (i * 389) % classes),
      ),
    };
    const [x, w] = [input("x", "float32", shapes.x), parameter("w", shapes.w)];
    const labels = input("labels", "int32", [rows]);
    const logits = linear(x, w);
    const loss = meanCrossEntropy(logits, labels);
    const [gradX, gradW] = gradients(loss, [x, w]) as [Tensor, Tensor];
    const graph = buildGraph({ loss, gradX, gradW, right: isHighest(logits, labels) });
    const exact = await createOpenVinoRuntime({ threads: 2, library });
    const [expected, actual] = await Promise.all(
      [exact, runtime].map(async (engine) => (await engine.compile(graph)).run(inputs)),
    );
    for (const name of ["gradX", "gradW"]) {
      const [a, b] = [actual, expected].map((outputs) => outputs?.[name]?.data as Float32Array);
      expect(relativeError(a as Float32Array, b as Float32Array), name).toBeLessThan(gradientBound(1));
    }
    await exact.dispose();
  });

  test("hidden states of every layer, and the heads", async () => {
    const inputs = [...tensors("forward-inputs.safetensors")].map(([name, { shape, data }]) => {
      const ids = Int32Array.from(data as BigInt64Array, Number);
      return [name, hostTensor("int32", shape, ids)] as const;
    });
    const layers = Array.from({ length: LAYERS + 1 }, (_, layer) => layer);
    const heads = { pooledOutput: true, mlmLogits: true, nspLogits: true };
    const graph = hiddenStatesGraph(config, { layers, ...heads });
    const executable = await runtime.compile(graph, { weights: tensors("model.safetensors") });
    const outputs = await executable.run(Object.fromEntries(inputs));
    const expected = tensors("forward.safetensors");
    const data = (from: HostTensor | undefined) => from?.data as Float32Array;
    const states = data(expected.get("gelu.hidden_states"));
    const size = states.length / (LAYERS + 1);
    const errors = layers.map((layer) =>
      relativeError(data(outputs[`hidden_states.${layer}`]), states.subarray(layer * size, (layer + 1) * size)),
    );
    errors.forEach((error, layer) => {
      expect(error).toBeLessThanOrEqual(Math.max(1e-5, forwardBound(layer)));
    });
    // That it is bfloat16, and not float32 under another name.
    expect(errors.at(-1)).toBeGreaterThan(UNIT_ROUNDOFF / 4);
    for (const name of ["pooled_output", "mlm_logits", "nsp_logits"]) {
      const error = relativeError(data(outputs[name]), data(expected.get(`gelu.${name}`)));
      expect({ name, error }).toSatisfy(({ error }) => error <= scoreBound(LAYERS));
    }
  });

  test("losses and the gradient of every parameter of pre-training", async () => {
    const compile = compilePretraining(runtime, config, { nextSentence: true });
    const step = new PretrainingStep(tensors("model.safetensors"), compile, 0);
    const sums = await step.train(storedBatch(0), 0);
    const { float64, noise_tensors } = json("loss.json").gelu;
    expect(Math.abs(sums.loss / float64.loss - 1)).toBeLessThan(forwardBound(LAYERS));
    const noise = new Set<string>(noise_tensors);
    const reference = [...tensors("gradients.safetensors")].filter(([name]) => !noise.has(name));
    expect(reference.length).toBeGreaterThan(80);
    for (const [name, { data }] of reference) {
      const error = relativeError(step.gradients.get(name) as Float32Array, data as Float32Array);
      expect({ name, error }).toSatisfy(({ error }) => error <= gradientBound(LAYERS));
    }
    await step.dispose();
  });
});

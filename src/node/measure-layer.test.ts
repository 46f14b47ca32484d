import { afterAll, expect, test } from "vitest";
import { RuntimeError } from "../errors.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { layerGraph, measureLayer, usualWork } from "./measure-layer.ts";
import { createOnnxRuntime } from "./onnxruntime.ts";

const runtime = createOnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());
const work = { hiddenSize: 24, intermediateSize: 40, numAttentionHeads: 4 };

test("training is the gradient of all that enters a layer, with dropout", () => {
  const graph = layerGraph({ ...work, training: true }, 2);
  const shapes = Object.fromEntries([...graph.outputs].map(([name, { shape }]) => [name, shape]));
  expect(shapes["grad.x"]).toEqual([256, 24]);
  expect(shapes["grad.layer.intermediate.dense.weight"]).toEqual([40, 24]);
  expect(Object.keys(shapes)).toHaveLength(1 + 16);
  expect(graph.inputs.filter(({ dtype }) => dtype === "uint8")).toHaveLength(3);
});

test("every engine is measured; one that refuses says why, and nothing is left compiled", async () => {
  let compiled = 0;
  const counting: Runtime = {
    ...runtime,
    compile: async (graph, options) => {
      const executable = await runtime.compile(graph, options);
      compiled += 1;
      const dispose = () => {
        compiled -= 1;
        return executable.dispose();
      };
      return { run: (inputs, outputs) => executable.run(inputs, outputs), dispose };
    },
  };
  const refusal = new RuntimeError({ where: "engine", expected: "Erf", got: "nothing" });
  const refusing: Runtime = { ...runtime, compile: () => Promise.reject(refusal) };
  for (const training of [false, true]) {
    const { times, tokens } = await measureLayer([refusing, counting], { ...work, training });
    expect(times[0]).toEqual({ error: refusal });
    expect(times[1]?.milliseconds).toBeGreaterThan(0);
    expect(tokens % 128).toBe(0);
  }
  expect(compiled).toBe(0);
});

test.each([1, 4])(
  "an engine that computes %i runs at a time is measured with as many, into memory of their own",
  async (streams) => {
    let [running, most] = [0, 0];
    const targets = new Set<unknown>();
    const waiting: Runtime = {
      ...runtime,
      streams,
      compile: async () => ({
        run: async (_, outputs) => {
          targets.add(outputs?.["y"]?.data);
          most = Math.max(most, ++running);
          await new Promise((resolve) => setTimeout(resolve, 1));
          running -= 1;
          return {};
        },
        dispose: async () => undefined,
      }),
    };
    const { times } = await measureLayer([waiting], { ...work, training: false });
    expect(most).toBe(streams);
    // Of the probe that finds out what there is time for, and of the measurement.
    expect(targets.size).toBe(2 * streams);
    expect(times[0]?.milliseconds).toBeGreaterThan(0);
  },
);

test("where no model is known, a layer is that of BERT-base", () => {
  expect(usualWork("training")).toEqual({
    hiddenSize: 768,
    intermediateSize: 3072,
    numAttentionHeads: 12,
    training: true,
  });
});

import { afterAll, describe, expect, test } from "vitest";
import { expectClose, numbers } from "../../test/graph-checks.ts";
import { ArgumentError, ShapeError } from "../errors.ts";
import { buildGraph, input } from "../graph/graph.ts";
import { createOnnxRuntime } from "../node/onnxruntime.ts";
import { hostTensor } from "../util/tensor.ts";
import { builtinConfig } from "./config.ts";
import { hiddenStatesGraph } from "./hidden-states.ts";
import { maxPooling, pooledStatesGraph, weightedPooling } from "./pooling.ts";

const runtime = createOnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const tokens = hostTensor("float32", [2, 3, 2], Float32Array.of(1, -1, 2, -2, 9, 9, -3, -4, 9, 9, 9, 9));
const symbol = input("tokens", "float32", ["batch", "seq", 2]);

describe("pooling", () => {
  test("weighted sums, several spans a row", async () => {
    const graph = buildGraph({ y: weightedPooling(symbol, input("weights", "float32", ["batch", "spans", "seq"])) });
    const weights = hostTensor("float32", [2, 2, 3], Float32Array.of(0.5, 0.5, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0));
    const { y } = await (await runtime.compile(graph)).run({ tokens, weights });
    expect(y?.shape).toEqual([2, 2, 2]);
    expectClose(numbers(y), [1.5, -1.5, 2, -2, -3, -4, 0, 0], 1e-6);
  });

  test("the maximum of tokens that count, also where all are below zero; zeros where none counts", async () => {
    const graph = buildGraph({ y: maxPooling(symbol, input("mask", "int32", ["batch", "seq"])) });
    const executable = await runtime.compile(graph);
    const run = async (...mask: number[]) =>
      numbers((await executable.run({ tokens, mask: hostTensor("int32", [2, 3], Int32Array.from(mask)) }))["y"]);
    expectClose(await run(1, 1, 0, 1, 0, 0), [2, -1, -3, -4], 1e-6);
    expect((await run(0, 0, 0, 0, 0, 1)).map(Math.abs)).toEqual([0, 0, 9, 9]);
  });

  test("wrong axes are refused", () => {
    const flat = input("flat", "float32", ["n", 2]);
    expect(() => maxPooling(flat, input("mask", "int32", ["n"]))).toThrow(ShapeError);
    expect(() => weightedPooling(flat, input("weights", "float32", ["n", 1]))).toThrow(
      "expected float32[batch, seq, dim]",
    );
  });
});

describe("graphs of chosen layers", () => {
  const config = builtinConfig("base", 100);
  const layersOf = (graph: { readonly inputs: readonly { readonly name: string }[] }) =>
    new Set(graph.inputs.flatMap(({ name }) => /layer\.(\d+)\./.exec(name)?.[1] ?? []));

  test("hold no more layers than are needed", () => {
    expect(layersOf(pooledStatesGraph(config, { layers: [-2], kind: "weighted" })).size).toBe(11);
    expect(layersOf(pooledStatesGraph(config, { layers: [0, 3], kind: "max" })).size).toBe(3);
    expect(layersOf(pooledStatesGraph(config, { layers: [0], kind: "pooler" })).size).toBe(12);
    expect(layersOf(hiddenStatesGraph(config, { layers: [0] })).size).toBe(0);
    expect(layersOf(hiddenStatesGraph(config, { layers: [0], nspLogits: true })).size).toBe(12);
  });

  test("refuse layers that are not there", () => {
    expect(() => hiddenStatesGraph(config, { layers: [13] })).toThrow(ArgumentError);
    expect(() => hiddenStatesGraph(config, { layers: [1.5] })).toThrow(ArgumentError);
    expect(() => pooledStatesGraph(config, { layers: [-14], kind: "max" })).toThrow("in -13 .. 12");
  });
});

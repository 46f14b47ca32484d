/** ONNX Runtime behind the Runtime interface: what it refuses, what it keeps, and where it writes. */
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, describe, expect, test } from "vitest";
import { numbers, randomTensor } from "../../test/graph-checks.ts";
import { ArgumentError, RuntimeError } from "../errors.ts";
import { buildGraph, defineOp, type Graph, input, parameter, type Tensor } from "../graph/graph.ts";
import { add, scale } from "../graph/ops/arithmetic.ts";
import { exp } from "../graph/ops/exp.ts";
import { linear } from "../graph/ops/matmul.ts";
import { createOnnxRuntime } from "../node/onnxruntime.ts";
import { type HostTensor, hostTensor, zeros } from "../util/tensor.ts";

const runtime = createOnnxRuntime({ threads: 2 });
afterAll(() => runtime.dispose());

function doubling(): Graph {
  return buildGraph({ y: scale(input("x", "float32", ["n", 2]), 2), z: exp(input("x", "float32", ["n", 2])) });
}

const pair = (a: number, b: number) => hostTensor("float32", [1, 2], Float32Array.of(a, b));

test("the facts that a resumed run must find again", () => {
  expect(runtime).toMatchObject({ name: "onnxruntime", precision: "f32", threads: 2 });
  expect(runtime.version).toMatch(/^\d+\.\d+\.\d+/);
  expect(() => createOnnxRuntime({ threads: 0 })).toThrow(ArgumentError);
  expect(() => createOnnxRuntime({ threads: 1.5 })).toThrow(/threads/);
});

describe("run", () => {
  test("gives every output by name", async () => {
    const executable = await runtime.compile(doubling());
    const results = await executable.run({ x: pair(1, 0) });
    expect(Object.keys(results).sort()).toEqual(["y", "z"]);
    expect(results["y"]).toEqual({ dtype: "float32", shape: [1, 2], data: Float32Array.of(2, 0) });
  });

  test.each<[string, HostTensor | undefined, RegExp]>([
    ["missing", undefined, /input "x": expected float32\[n, 2\], got nothing/],
    ["of another dtype", hostTensor("int32", [1, 2], Int32Array.of(1, 2)), /float32\[n, 2\], got int32\[1, 2\]/],
    ["of another size", zeros("float32", [1, 3]), /float32\[n, 2\], got float32\[1, 3\]/],
    ["of another rank", zeros("float32", [2]), /float32\[n, 2\], got float32\[2\]/],
  ])("an input that is %s is refused", async (_, x, message) => {
    const executable = await runtime.compile(doubling());
    const wrong = executable.run(x ? { x } : {});
    await expect(wrong).rejects.toThrow(RuntimeError);
    await expect(wrong).rejects.toThrow(message);
    expect(numbers((await executable.run({ x: pair(3, 4) }))["y"])).toEqual([6, 8]);
  });

  test("one name of an axis has one size in a run", async () => {
    const [a, b] = [input("a", "float32", ["n", 1]), input("b", "float32", ["n", 2])];
    const executable = await runtime.compile(buildGraph({ y: add(a, b) }));
    const wrong = executable.run({ a: zeros("float32", [1, 1]), b: zeros("float32", [3, 2]) });
    await expect(wrong).rejects.toThrow(RuntimeError);
    await expect(wrong).rejects.toThrow(/input "b".*n = 1.*float32\[3, 2\]/);
    const right = await executable.run({ a: zeros("float32", [3, 1]), b: zeros("float32", [3, 2]) });
    expect(right["y"]?.shape).toEqual([3, 2]);
  });

  test("a product of names has the product of their sizes", async () => {
    const [x, mask] = [input("x", "float32", ["batch*seq", 2]), input("mask", "float32", ["batch", "seq"])];
    const executable = await runtime.compile(buildGraph({ y: exp(x), z: exp(mask) }));
    const wrong = executable.run({ x: zeros("float32", [5, 2]), mask: zeros("float32", [2, 3]) });
    await expect(wrong).rejects.toThrow(/batch\*seq = 6/);
    await executable.run({ x: zeros("float32", [6, 2]), mask: zeros("float32", [2, 3]) });
  });

  test("other sizes of named axes, one after the other", async () => {
    const executable = await runtime.compile(doubling());
    for (const n of [1, 5, 2]) {
      const x = randomTensor(n, [n, 2]);
      const { y } = await executable.run({ x });
      expect(y?.shape).toEqual([n, 2]);
      expect(numbers(y)).toEqual(Array.from(x.data, (value) => 2 * value));
    }
  });

  test("the engine's own failure is an error of ours that says more", async () => {
    const table = input("t", "float32", [3, 2]);
    const { gather } = await import("../graph/ops/gather.ts");
    const executable = await runtime.compile(buildGraph({ y: gather(table, input("i", "int32", [1])) }));
    const wrong = executable.run({ t: zeros("float32", [3, 2]), i: hostTensor("int32", [1], Int32Array.of(7)) });
    await expect(wrong).rejects.toThrow(RuntimeError);
    await expect(wrong).rejects.toThrow(/onnxruntime: run: .*7/);
  });
});

describe("outputs", () => {
  test("are written into the memory that is given", async () => {
    const executable = await runtime.compile(doubling());
    const y = zeros("float32", [1, 2]);
    const results = await executable.run({ x: pair(1, 2) }, { y });
    expect(Array.from(y.data)).toEqual([2, 4]);
    expect(results["y"]?.data).toBe(y.data);
    expect(numbers(results["z"])[0]).toBeCloseTo(Math.E, 5);
    await executable.run({ x: pair(5, 6) }, { y });
    expect(Array.from(y.data)).toEqual([10, 12]);
  });

  test("into a part of a larger array, leaving the rest alone", async () => {
    const executable = await runtime.compile(doubling());
    const all = new Float32Array(6).fill(-1);
    const y = hostTensor("float32", [1, 2], all.subarray(2, 4));
    await executable.run({ x: pair(1, 2) }, { y });
    expect(Array.from(all)).toEqual([-1, -1, 2, 4, -1, -1]);
  });

  test("an input may lie beside its output; inputs are read in place and not changed", async () => {
    const executable = await runtime.compile(doubling());
    const all = Float32Array.of(1, 2, 0, 0);
    const [x, y] = [hostTensor("float32", [1, 2], all.subarray(0, 2)), hostTensor("float32", [1, 2], all.subarray(2))];
    await executable.run({ x }, { y });
    expect(Array.from(all)).toEqual([1, 2, 2, 4]);
  });

  test.each<[string, HostTensor]>([
    ["size", zeros("float32", [1, 3])],
    ["rank", zeros("float32", [2])],
    ["dtype", zeros("int32", [1, 2])],
  ])("of another %s are refused", async (_, y) => {
    const executable = await runtime.compile(doubling());
    const wrong = executable.run({ x: pair(1, 2) }, { y });
    await expect(wrong).rejects.toThrow(RuntimeError);
    await expect(wrong).rejects.toThrow(/output "y": expected float32\[n, 2\]/);
  });

  test("a name that is no output is refused", async () => {
    const executable = await runtime.compile(doubling());
    const wrong = executable.run({ x: pair(1, 2) }, { loss: zeros("float32", []) });
    await expect(wrong).rejects.toThrow(/output "loss".*y, z/);
  });
});

describe("compile", () => {
  test("the same graph is compiled once, another anew", async () => {
    const graph = doubling();
    expect(await runtime.compile(graph)).toBe(await runtime.compile(graph));
    expect(await runtime.compile(doubling())).not.toBe(await runtime.compile(graph));
  });

  test("a disposed executable cannot run; its graph can be compiled again", async () => {
    const graph = doubling();
    const first = await runtime.compile(graph);
    await first.dispose();
    await first.dispose();
    await expect(first.run({ x: pair(1, 2) })).rejects.toThrow(/disposed/);
    const second = await runtime.compile(graph);
    expect(numbers((await second.run({ x: pair(1, 2) }))["y"])).toEqual([2, 4]);
  });

  test("weights are built in; what is not given stays an input", async () => {
    const x = input("x", "float32", [1, 2]);
    const graph = buildGraph({ y: linear(x, parameter("w", [1, 2]), parameter("b", [1])) });
    const w = hostTensor("float32", [1, 2], Float32Array.of(10, 100));
    const b = hostTensor("float32", [1], Float32Array.of(0.5));
    const all = await runtime.compile(graph, {
      weights: new Map([
        ["w", w],
        ["b", b],
      ]),
    });
    expect(numbers((await all.run({ x: pair(1, 2) }))["y"])).toEqual([210.5]);
    const some = await runtime.compile(graph, { weights: new Map([["w", w]]) });
    await expect(some.run({ x: pair(1, 2) })).rejects.toThrow(/input "b"/);
    expect(numbers((await some.run({ x: pair(1, 2), b }))["y"])).toEqual([210.5]);
  });

  test("a program that gives its memory back gives the same results", async () => {
    const keeping = await runtime.compile(doubling());
    const releasing = await runtime.compile(doubling(), { keepMemory: false });
    const x = randomTensor(3, [100, 2]);
    for (let i = 0; i < 3; i++) expect(await releasing.run({ x })).toEqual(await keeping.run({ x }));
    await Promise.all([keeping.dispose(), releasing.dispose()]);
  });

  test("weights of more than a megabyte", async () => {
    const [rows, width] = [600, 512];
    const graph = buildGraph({ y: linear(input("x", "float32", [1, width]), parameter("w", [rows, width])) });
    const w = randomTensor(1, [rows, width]);
    const executable = await runtime.compile(graph, { weights: new Map([["w", w]]) });
    const first = hostTensor(
      "float32",
      [1, width],
      Float32Array.from({ length: width }, (_, i) => (i === 3 ? 1 : 0)),
    );
    const y = numbers((await executable.run({ x: first }))["y"]);
    expect(y).toEqual(Array.from({ length: rows }, (_, row) => w.data[row * width + 3]));
    await executable.dispose();
  });

  test("a weight of another shape than its parameter is refused", async () => {
    const graph = buildGraph({ y: exp(parameter("w", [2, 3])) });
    const wrong = runtime.compile(graph, { weights: new Map([["w", zeros("float32", [3, 2])]]) });
    await expect(wrong).rejects.toThrow(RuntimeError);
    await expect(wrong).rejects.toThrow(/weight "w": expected float32\[2, 3\], got float32\[3, 2\]/);
  });

  test("what the engine refuses is an error, again at each try, and dispose() still works", async () => {
    const own = createOnnxRuntime({ threads: 1 });
    const unknown = defineOp<object>({
      name: "unknown",
      infer: ([x]) => x as Tensor,
      lower: () => ({ opType: "NoSuchOperator" }),
    });
    const graph = buildGraph({ y: unknown([input("x", "float32", [2])], {}) });
    for (let i = 0; i < 2; i++) {
      await expect(own.compile(graph)).rejects.toThrow(RuntimeError);
      await expect(own.compile(graph)).rejects.toThrow(/onnxruntime: compile: .*NoSuchOperator/);
    }
    const kept = await own.compile(doubling());
    await own.dispose();
    await expect(kept.run({ x: pair(1, 2) })).rejects.toThrow(/disposed/);
  });
});

test("weights are the engine's own after compiling: nothing else holds them", async () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const graph = buildGraph({ y: linear(input("x", "float32", ["n", 2]), parameter("w", [3, 2])) });
  const compile = async () => {
    const weight = hostTensor("float32", [3, 2], Float32Array.of(1, 2, 3, 4, 5, 6));
    return {
      executable: await runtime.compile(graph, { weights: new Map([["w", weight]]) }),
      kept: new WeakRef(weight),
    };
  };
  const { executable, kept } = await compile();
  for (let turn = 0; turn < 10 && kept.deref() !== undefined; turn++) {
    await setImmediate();
    collect();
  }
  expect(kept.deref()).toBeUndefined();
  const { y } = await executable.run({ x: pair(1, 1) });
  expect(y?.data).toEqual(Float32Array.of(3, 7, 11));
});

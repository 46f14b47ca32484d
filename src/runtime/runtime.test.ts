/** What every engine does behind the Runtime interface: what it refuses, what it keeps, and where it writes. */
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { numbers, randomTensor } from "../../test/graph-checks.ts";
import { describeRuntimes } from "../../test/runtimes.ts";
import { RuntimeError } from "../errors.ts";
import { buildGraph, defineOp, type Graph, input, parameter, type Tensor } from "../graph/graph.ts";
import { add, scale } from "../graph/ops/arithmetic.ts";
import { reduceSum } from "../graph/ops/broadcast.ts";
import { exp } from "../graph/ops/exp.ts";
import { cast } from "../graph/ops/logic.ts";
import { linear, matmul } from "../graph/ops/matmul.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { type DType, type HostTensor, hostTensor, zeros } from "../util/tensor.ts";

function doubling(): Graph {
  return buildGraph({ y: scale(input("x", "float32", ["n", 2]), 2), z: exp(input("x", "float32", ["n", 2])) });
}

const pair = (a: number, b: number) => hostTensor("float32", [1, 2], Float32Array.of(a, b));

describeRuntimes("runtime", (runtime) => {
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
      const three = defineOp<object>({
        name: "three",
        infer: () => ({ dtype: "float32", shape: [3] }),
        lower: ({ names, int64s }) => ({ opType: "Reshape", inputs: [names[0] as string, int64s([3])] }),
      });
      const executable = await runtime.compile(buildGraph({ y: three([input("x", "float32", ["n"])], {}) }));
      const wrong = executable.run({ x: zeros("float32", [2]) });
      await expect(wrong).rejects.toThrow(RuntimeError);
      await expect(wrong).rejects.toThrow(new RegExp(`${runtime.name}: run: expected the graph to run, got .*3`));
      const x = hostTensor("float32", [3], Float32Array.of(1, 2, 3));
      expect(numbers((await executable.run({ x }))["y"])).toEqual([1, 2, 3]);
    });

    test("several runs at once give what each gives alone", async () => {
      const executable = await runtime.compile(doubling());
      const sizes = [3, 1, 700, 2];
      const results = await Promise.all(sizes.map((n) => executable.run({ x: randomTensor(n, [n, 2]) })));
      results.forEach(({ y }, i) => {
        const { data } = randomTensor(sizes[i] as number, [sizes[i] as number, 2]);
        expect(numbers(y)).toEqual(Array.from(data, (value) => 2 * value));
      });
    });

    test.each<[string, HostTensor]>([
      ["uint8", hostTensor("uint8", [3], Uint8Array.of(0, 1, 255))],
      ["bool", hostTensor("bool", [3], Uint8Array.of(0, 1, 1))],
      ["int32", hostTensor("int32", [3], Int32Array.of(-5, 0, 2 ** 30))],
      ["int64", hostTensor("int64", [3], BigInt64Array.of(-5n, 0n, 7n))],
    ])("%s inputs", async (dtype, x) => {
      const executable = await runtime.compile(buildGraph({ y: cast(input("x", dtype as DType, [3]), "float32") }));
      expect(numbers((await executable.run({ x }))["y"])).toEqual(Array.from(x.data, Number));
      await executable.dispose();
    });

    test("a tensor whose array has another length than its shape is refused", async () => {
      const executable = await runtime.compile(doubling());
      const short: HostTensor = { dtype: "float32", shape: [2, 2], data: new Float32Array(3) };
      await expect(executable.run({ x: short })).rejects.toThrow(/input "x": expected .*4 elements.*got 3/);
      const wrong = executable.run({ x: zeros("float32", [2, 2]) }, { y: short });
      await expect(wrong).rejects.toThrow(/output "y": expected .*4 elements.*got 3/);
    });

    test("scalars, and axes of size 0", async () => {
      const x = input("x", "float32", ["n", 2]);
      const executable = await runtime.compile(buildGraph({ sum: reduceSum(x), y: scale(x, 2) }));
      const some = await executable.run({ x: pair(1, 2) });
      expect(some["sum"]).toEqual({ dtype: "float32", shape: [], data: Float32Array.of(3) });
      const none = await executable.run({ x: zeros("float32", [0, 2]) });
      expect([none["sum"]?.data, none["y"]?.shape]).toEqual([Float32Array.of(0), [0, 2]]);
    });

    test("the size of a named axis follows from a multiple of it", async () => {
      const executable = await runtime.compile(buildGraph({ y: reshape(input("x", "float32", ["4*n"]), ["n", 4]) }));
      const { y } = await executable.run({ x: randomTensor(1, [12]) });
      expect(y?.shape).toEqual([3, 4]);
      await expect(executable.run({ x: randomTensor(1, [10]) })).rejects.toThrow(/input "x": expected float32\[4\*n\]/);
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
      const [x, y] = [
        hostTensor("float32", [1, 2], all.subarray(0, 2)),
        hostTensor("float32", [1, 2], all.subarray(2)),
      ];
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

    test("an output that is an input, and two that are one tensor", async () => {
      const x = input("x", "float32", ["n", 2]);
      const doubled = scale(x, 2);
      const executable = await runtime.compile(buildGraph({ same: x, y: doubled, z: doubled }));
      const y = zeros("float32", [1, 2]);
      const results = await executable.run({ x: pair(1, 2) }, { y });
      expect(numbers(results["same"])).toEqual([1, 2]);
      expect([numbers(y), numbers(results["z"])]).toEqual([
        [2, 4],
        [2, 4],
      ]);
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

    test("a square weight that is built in, by which is multiplied as it is and transposed", async () => {
      const w = parameter("w", [2, 2]);
      const y = matmul(matmul(input("x", "float32", [1, 2]), w, { transB: true }), w);
      const weights = new Map([["w", hostTensor("float32", [2, 2], Float32Array.of(1, 2, 3, 4))]]);
      const executable = await runtime.compile(buildGraph({ y }), { weights });
      // [1, 10] times the transpose is [21, 43], that times the matrix [150, 214].
      expect(numbers((await executable.run({ x: pair(1, 10) }))["y"])).toEqual([150, 214]);
    });

    test("a weight of another shape than its parameter is refused", async () => {
      const graph = buildGraph({ y: exp(parameter("w", [2, 3])) });
      const wrong = runtime.compile(graph, { weights: new Map([["w", zeros("float32", [3, 2])]]) });
      await expect(wrong).rejects.toThrow(RuntimeError);
      await expect(wrong).rejects.toThrow(/weight "w": expected float32\[2, 3\], got float32\[3, 2\]/);
    });

    test("what the engine refuses is an error that names the operator, again at each try", async () => {
      const unknown = defineOp<object>({
        name: "unknown",
        infer: ([x]) => x as Tensor,
        lower: () => ({ opType: "NoSuchOperator" }),
      });
      const graph = buildGraph({ y: unknown([input("x", "float32", [2])], {}) });
      for (let i = 0; i < 2; i++) {
        await expect(runtime.compile(graph)).rejects.toThrow(RuntimeError);
        await expect(runtime.compile(graph)).rejects.toThrow(new RegExp(`${runtime.name}: compile: .*NoSuchOperator`));
        const hint = expect.stringMatching(/an operator .*--runtime o/);
        await expect(runtime.compile(graph)).rejects.toMatchObject({ hint });
      }
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
});

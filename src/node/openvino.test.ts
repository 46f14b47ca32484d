/** OpenVINO behind the Runtime interface: how it is set up, what it keeps and frees, and that the event loop goes on meanwhile. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, describe, expect, test } from "vitest";
import { numbers, randomTensor } from "../../test/graph-checks.ts";
import { describeOpenVino } from "../../test/runtimes.ts";
import { ArgumentError, RuntimeError } from "../errors.ts";
import { buildGraph, type Graph, input, parameter } from "../graph/graph.ts";
import { add } from "../graph/ops/arithmetic.ts";
import { reduceSum } from "../graph/ops/broadcast.ts";
import { linear, matmul } from "../graph/ops/matmul.ts";
import { softmax } from "../graph/ops/softmax.ts";
import { tanh } from "../graph/ops/tanh.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { hostTensor, zeros } from "../util/tensor.ts";
import { createOpenVinoRuntime, supportedPrecision } from "./openvino.ts";

const MEBIBYTE = 2 ** 20;

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

describe("bfloat16", () => {
  const known = (features: Record<string, boolean> | undefined) => ({
    model: "P",
    architecture: "x64",
    threads: 2,
    features,
  });
  /** What is taken, and what is said, where bf16 is asked for. */
  const taken = (device: string, capabilities: string, features: Record<string, boolean> | undefined) => {
    const notes: string[] = [];
    const facts = { device, capabilities: capabilities.split(" "), processor: known(features) };
    return [supportedPrecision("bf16", facts, (text) => notes.push(text)), ...notes];
  };

  test("is taken where device and processor have it, or where nothing is known of the processor", () => {
    expect(taken("CPU", "FP32 INT8 BIN BF16", { AVX512_BF16: true })).toEqual(["bf16"]);
    expect(taken("CPU", "FP32 BF16", undefined)).toEqual(["bf16"]);
  });

  test("is float32 on a processor that does not multiply it, also where the engine would imitate it; it is said", () => {
    const said = ["f32", "this processor (P) does not multiply bf16: f32 is used"];
    expect(taken("CPU", "FP32 BF16", { AVX512_BF16: false })).toEqual(said);
    expect(taken("AUTO", "FP32 BF16", { "AVX-512": true })).toEqual(said);
    expect(taken("CPU", "FP32 INT8", undefined)).toEqual(["f32", "CPU has no bf16: f32 is used"]);
    expect(taken("GPU", "FP32 FP16", { AVX512_BF16: false })).toEqual(["f32", "GPU has no bf16: f32 is used"]);
  });
});

describeOpenVino("OpenVINO", async (library) => {
  const runtime = await createOpenVinoRuntime({ threads: 1, library });
  afterAll(() => runtime.dispose());

  test("the facts that a resumed run must find again", async () => {
    expect(runtime).toMatchObject({ name: "openvino", precision: "f32", threads: 1 });
    expect(runtime.version).toMatch(/^\d{4}\.\d+/);
    await expect(createOpenVinoRuntime({ threads: 0, library })).rejects.toThrow(ArgumentError);
  });

  test("a device that is not there is refused", async () => {
    const wrong = createOpenVinoRuntime({ device: "TPU" as "GPU", library });
    await expect(wrong).rejects.toThrow(RuntimeError);
    await expect(wrong).rejects.toThrow(/device of this machine, got "TPU"/);
  });

  test("AUTO computes where there is the processor alone", async () => {
    const automatic = await createOpenVinoRuntime({ device: "AUTO", threads: 1, library });
    const executable = await automatic.compile(buildGraph({ y: tanh(input("x", "float32", [2])) }));
    const { y } = await executable.run({ x: zeros("float32", [2]) });
    expect(numbers(y)).toEqual([0, 0]);
    await automatic.dispose();
  });

  test("float32 is float32: products are exact to its round-off, on processors with bfloat16 too", async () => {
    const y = matmul(input("x", "float32", [64, 256]), input("w", "float32", [256, 64]));
    const [x, w] = [randomTensor(1, [64, 256]), randomTensor(2, [256, 64])];
    const executable = await runtime.compile(buildGraph({ y }));
    const got = numbers((await executable.run({ x, w }))["y"]);
    for (const [row, column] of [
      [0, 0],
      [63, 63],
      [7, 40],
    ] as const) {
      let sum = 0;
      for (let k = 0; k < 256; k++) sum += (x.data[row * 256 + k] as number) * (w.data[k * 64 + column] as number);
      // 256 products of size 1 sum up to about 16; a step of float32 there is 2e-6, one of bfloat16 0.06.
      expect(Math.abs((got[row * 64 + column] as number) - sum)).toBeLessThan(1e-4);
    }
    await executable.dispose();
  });

  test("rows that are masked by -10000, and -Infinity", async () => {
    const x = input("x", "float32", [3, 3]);
    const executable = await runtime.compile(buildGraph({ y: softmax(add(x, input("mask", "float32", [3, 3]))) }));
    const mask = Float32Array.of(0, 0, -10000, -10000, -10000, -10000, 0, 0, Number.NEGATIVE_INFINITY);
    const { y } = await executable.run({ x: zeros("float32", [3, 3]), mask: hostTensor("float32", [3, 3], mask) });
    const third = Math.fround(1 / 3);
    [0.5, 0.5, 0, third, third, third, 0.5, 0.5, 0].forEach((value, i) => {
      expect(numbers(y)[i]).toBeCloseTo(value, 6);
    });
    await executable.dispose();
  });

  test("what is no number stays none", async () => {
    const executable = await runtime.compile(buildGraph({ y: tanh(input("x", "float32", [2])) }));
    const { y } = await executable.run({ x: hostTensor("float32", [2], Float32Array.of(Number.NaN, 0)) });
    expect(numbers(y)).toEqual([Number.NaN, 0]);
    await executable.dispose();
  });

  test("the event loop goes on while a graph is compiled and run", async () => {
    const size = 1024;
    let y = input("x", "float32", [size, size]);
    for (let i = 0; i < 8; i++) y = matmul(y, input(`w${i % 2}`, "float32", [size, size]));
    const turns = async (work: Promise<unknown>) => {
      let [count, isDone] = [0, false];
      const done = work.then(() => {
        isDone = true;
      });
      for (; !isDone; count++) await setImmediate();
      await done;
      return count;
    };
    const compiling = runtime.compile(buildGraph({ y }));
    expect(await turns(compiling)).toBeGreaterThan(20);
    const tensor = zeros("float32", [size, size]);
    const executable = await compiling;
    expect(await turns(executable.run({ x: tensor, w0: tensor, w1: tensor }))).toBeGreaterThan(20);
    await executable.dispose();
  });

  test("dispose() waits for the runs before it", async () => {
    const executable = await runtime.compile(buildGraph({ y: tanh(input("x", "float32", ["n"])) }));
    const running = executable.run({ x: zeros("float32", [1000]) });
    const disposed = executable.dispose();
    expect((await running)["y"]?.shape).toEqual([1000]);
    await disposed;
    await expect(executable.run({ x: zeros("float32", [1]) })).rejects.toThrow(/disposed/);
  });

  test("runs of several streams go on at the same time, on memory of their own; their results come in order", async () => {
    const own = await createOpenVinoRuntime({ threads: 2, streams: 2, library });
    expect(own.streams).toBe(2);
    const executable = await own.compile(buildGraph({ y: tanh(input("x", "float32", ["n"])) }));
    expect(executable.streams).toBe(2);
    const order: number[] = [];
    const results = await Promise.all(
      // The first is by far the longest.
      [1_000_000, 1, 2, 3, 4].map(async (size, i) => {
        const x = hostTensor("float32", [size], new Float32Array(size).fill(i));
        const { y } = await executable.run({ x });
        order.push(i);
        return numbers(y);
      }),
    );
    expect(order).toEqual([0, 1, 2, 3, 4]);
    expect(results.map(({ length }) => length)).toEqual([1_000_000, 1, 2, 3, 4]);
    for (const [i, values] of results.entries()) expect(values.at(-1)).toBeCloseTo(Math.tanh(i), 6);
    // A run that fails gives its stream back.
    const wrong = Array.from({ length: 3 }, () => executable.run({ x: zeros("float32", [2, 2]) }));
    for (const run of wrong) await expect(run).rejects.toThrow(RuntimeError);
    expect(numbers((await executable.run({ x: zeros("float32", [1]) }))["y"])).toEqual([0]);
    await own.dispose();
  });

  test("more streams than threads are refused", async () => {
    await expect(createOpenVinoRuntime({ threads: 1, streams: 2, library })).rejects.toThrow(/streams: .* 1 \.\. 1/);
  });

  test("a runtime disposes of what it has compiled, and can compile again", async () => {
    const own = await createOpenVinoRuntime({ threads: 1, library });
    const graph = buildGraph({ y: tanh(input("x", "float32", [1])) });
    const executable = await own.compile(graph);
    await own.dispose();
    await expect(executable.run({ x: zeros("float32", [1]) })).rejects.toThrow(/disposed/);
    const again = await own.compile(graph);
    expect(numbers((await again.run({ x: zeros("float32", [1]) }))["y"])).toEqual([0]);
    await own.dispose();
  });

  describe("memory", () => {
    const graph = small();
    const x = randomTensor(1, [4, 16]);

    const round = async (seed: number, what = graph) => {
      const executable = await runtime.compile(what, { weights: new Map([["w", randomTensor(seed, [16, 16])]]) });
      const { y } = await executable.run({ x });
      await executable.dispose();
      return numbers(y);
    };

    test("1,000 rounds of compile, run and dispose do not add any", { timeout: 600_000 }, async () => {
      const smallest = buildGraph({ y: add(reduceSum(input("x", "float32", [4, 16])), parameter("w", [16, 16])) });
      // Until then the allocator and the threads have what they keep.
      for (let i = 0; i < 50; i++) await round(i, smallest);
      collect();
      const before = process.memoryUsage.rss();
      for (let i = 0; i < 1000; i++) await round(i, smallest);
      collect();
      // A graph that is kept takes about 50 KiB: 1,000 of them 50 MiB.
      expect((process.memoryUsage.rss() - before) / MEBIBYTE).toBeLessThan(16);
    });

    test("results are held by nobody but who asked for them", async () => {
      const executable = await runtime.compile(buildGraph({ y: tanh(input("x", "float32", ["n"])) }));
      const x = zeros("float32", [MEBIBYTE / 4]);
      collect();
      const before = process.memoryUsage().arrayBuffers;
      for (let i = 0; i < 100; i++) await executable.run({ x });
      await setImmediate();
      collect();
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20 * MEBIBYTE);
      await executable.dispose();
    });

    test("graphs compiled one after the other do not see each other's weights", async () => {
      const first = await round(1);
      const second = await round(2);
      expect(second).not.toEqual(first);
      expect(await round(1)).toEqual(first);
    });

    test("executables that are forgotten are freed", async () => {
      const [rows, width] = [1024, 2048];
      const weights = new Map([["w", randomTensor(1, [rows, width])]]);
      const large = buildGraph({ y: linear(input("x", "float32", [1, width]), parameter("w", [rows, width])) });
      const forget = async () => {
        await runtime.compile(large, { weights });
        for (let turn = 0; turn < 3; turn++) {
          await setImmediate();
          collect();
        }
      };
      await forget();
      const before = process.memoryUsage.rss();
      const times = 10;
      for (let i = 0; i < times; i++) await forget();
      // Each holds 8 MiB and their packed form.
      expect((process.memoryUsage.rss() - before) / MEBIBYTE).toBeLessThan((times / 2) * 8);
    });
  });

  test("a cache of compiled graphs tells weights apart", async () => {
    const folder = mkdtempSync(join(tmpdir(), "zhbert-openvino-"));
    try {
      const graph = small();
      const x = randomTensor(1, [4, 16]);
      const compute = async (cached: Runtime, seed: number) => {
        const weights = new Map([["w", randomTensor(seed, [16, 16])]]);
        const executable = await cached.compile(graph, { weights });
        return numbers((await executable.run({ x }))["y"]);
      };
      const cached = () => createOpenVinoRuntime({ threads: 1, library, cacheFolder: folder });
      const one = await cached();
      const [first, second] = [await compute(one, 1), await compute(one, 2)];
      await one.dispose();
      expect(readdirSync(folder).length).toBeGreaterThan(1);
      expect(first).not.toEqual(second);
      const other = await cached();
      expect([await compute(other, 2), await compute(other, 1)]).toEqual([second, first]);
      await other.dispose();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

function small(): Graph {
  return buildGraph({ y: tanh(linear(input("x", "float32", [4, 16]), parameter("w", [16, 16]))) });
}

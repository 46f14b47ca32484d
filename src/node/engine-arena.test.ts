import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { buildGraph, input } from "../graph/graph.ts";
import { matmul } from "../graph/ops/matmul.ts";
import { reduceMean } from "../graph/ops/reduce.ts";
import { tanh } from "../graph/ops/tanh.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { hostTensor } from "../util/tensor.ts";
import { createOnnxRuntime } from "./onnxruntime.ts";

const MEBIBYTE = 2 ** 20;
const ROWS = 1024;
/** Of inner results: 64 MiB. */
const COLUMNS = 16 * ROWS;

/** The mean of tanh(a b), of which the product is an inner result. */
function meanOfProduct(columns: number) {
  const [a, b] = [input("a", "float32", [ROWS, 1]), input("b", "float32", [1, columns])];
  return buildGraph({ y: reduceMean(tanh(matmul(a, b))) });
}

async function run(runtime: Runtime, columns: number, keepMemory = true) {
  const program = await runtime.compile(meanOfProduct(columns), { keepMemory });
  const a = hostTensor("float32", [ROWS, 1], new Float32Array(ROWS).fill(0.5));
  const b = hostTensor("float32", [1, columns], new Float32Array(columns).fill(0.25));
  return Number((await program.run({ a, b })).y?.data[0]);
}

/** Bytes that the process holds in memory. */
function residentBytes(): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;
}

test.skipIf(process.platform !== "linux")(
  "programs share the memory that they keep, and it goes with the runtime",
  async () => {
    const runtime = createOnnxRuntime({ threads: 1 });
    expect(runtime.sharesMemory).toBe(true);
    const before = residentBytes();
    const first = await run(runtime, COLUMNS);
    expect(residentBytes() - before).toBeGreaterThan(48 * MEBIBYTE);
    // Blocks of several sizes lie beside one another at first.
    await run(runtime, COLUMNS / 2);
    await run(runtime, COLUMNS - 1);
    const filled = residentBytes();
    for (const columns of [COLUMNS - 2, COLUMNS - 3, COLUMNS / 2 - 1]) await run(runtime, columns);
    expect(residentBytes() - filled).toBeLessThan(24 * MEBIBYTE);
    expect(await run(runtime, COLUMNS, false)).toBe(first);
    await runtime.dispose();
    expect(residentBytes() - before).toBeLessThan(24 * MEBIBYTE);
  },
);

test.skipIf(process.platform !== "linux")("a runtime shares with the one before it, and outlives it", async () => {
  const [first, second] = [createOnnxRuntime({ threads: 1 }), createOnnxRuntime({ threads: 1 })];
  expect([first.sharesMemory, second.sharesMemory]).toEqual([true, true]);
  const y = await run(first, 8);
  await first.dispose();
  await first.dispose();
  expect(await run(second, 8)).toBe(y);
  expect(second.sharesMemory).toBe(true);
  await second.dispose();
  const third = createOnnxRuntime({ threads: 1 });
  expect(await run(third, 8)).toBe(y);
  await third.dispose();
});

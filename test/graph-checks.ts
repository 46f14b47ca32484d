/** One call that checks an operator: its shape, its values against plain loops, its gradient against finite differences. */
import * as ort from "onnxruntime-node";
import { expect } from "vitest";
import { ShapeError } from "../src/errors.ts";
import { vectorJacobianProduct } from "../src/graph/autodiff.ts";
import type { Shape } from "../src/graph/dims.ts";
import { buildGraph, type Graph, input, type Tensor } from "../src/graph/graph.ts";
import { lowerGraph } from "../src/onnx/lower.ts";
import { serializeModel } from "../src/onnx/serialize.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { Random } from "../src/util/random.ts";
import { elementCount, type HostTensor, hostTensor } from "../src/util/tensor.ts";
import { testRuntimes } from "./runtimes.ts";

export const runtime = testRuntimes[0] as Runtime;

/** Runs a graph once over the given inputs, on every engine. @returns what the first gives; the others give the same to round-off. */
export async function evaluate(
  outputs: Readonly<Record<string, Tensor>>,
  inputs: Readonly<Record<string, HostTensor>> = {},
): Promise<Record<string, HostTensor>> {
  const graph = buildGraph(outputs);
  const [first, ...others] = await Promise.all(testRuntimes.map((engine) => runOnce(engine, graph, inputs)));
  for (const other of others) {
    for (const name of Object.keys(outputs)) expectSame(other[name], first?.[name]);
  }
  return first as Record<string, HostTensor>;
}

async function runOnce(engine: Runtime, graph: Graph, inputs: Readonly<Record<string, HostTensor>>) {
  const executable = await engine.compile(graph);
  const results = await executable.run(inputs);
  await executable.dispose();
  return results;
}

/** Round-off between two engines that compute the same sums in another order. */
const ENGINE_TOLERANCE = 1e-5;

function expectSame(actual: HostTensor | undefined, expected: HostTensor | undefined): void {
  expect([actual?.dtype, actual?.shape]).toEqual([expected?.dtype, expected?.shape]);
  expectClose(numbers(actual), numbers(expected), ENGINE_TOLERANCE);
}

/** Runs a graph lowered to ONNX's own operators only; fails when one of ONNX Runtime's is left. */
export async function evaluatePortable(
  outputs: Readonly<Record<string, Tensor>>,
  inputs: Readonly<Record<string, HostTensor<"float32">>>,
): Promise<Record<string, number[]>> {
  const lowered = lowerGraph(buildGraph(outputs), { contrib: false });
  expect(lowered.nodes.filter(({ domain }) => domain !== undefined)).toEqual([]);
  const session = await ort.InferenceSession.create(serializeModel(lowered).model);
  const feeds = Object.entries(inputs).map(([name, { data, shape }]) => [name, new ort.Tensor("float32", data, shape)]);
  const results = await session.run(Object.fromEntries(feeds));
  await session.release();
  return Object.fromEntries(Object.entries(results).map(([name, { data }]) => [name, Array.from(data, Number)]));
}

/** A float32 tensor of normal random numbers. */
export function randomTensor(seed: number, shape: readonly number[]): HostTensor<"float32"> {
  const random = new Random(seed);
  return hostTensor(
    "float32",
    shape,
    Float32Array.from({ length: elementCount(shape) }, () => random.normal()),
  );
}

/** Numbers as rows of plain arrays are easier to compare in messages. */
export function numbers(tensor: HostTensor | undefined): number[] {
  return Array.from((tensor as HostTensor).data as Float32Array, Number);
}

/** A float32 tensor of the random tensor's absolute values plus an offset: away from 0, for logarithms and divisors. */
export function positiveTensor(seed: number, shape: readonly number[], offset = 0.5): HostTensor<"float32"> {
  return hostTensor(
    "float32",
    shape,
    randomTensor(seed, shape).data.map((x) => Math.abs(x) + offset),
  );
}

/** Numbers computed one by one, by their multi-index; row-major. */
export function tabulate(shape: readonly number[], value: (...index: number[]) => number): number[] {
  return Array.from({ length: elementCount(shape) }, (_, at) => {
    const index: number[] = [];
    let rest = at;
    for (const size of [...shape].reverse()) {
      index.unshift(rest % size);
      rest = Math.floor(rest / size);
    }
    return value(...index);
  });
}

/** Reads an element of a tensor by its multi-index; axes of size 1 are broadcast, missing axes in front too. */
export function at({ shape, data }: HostTensor<"float32">, ...index: number[]): number {
  const own = index.slice(index.length - shape.length);
  const offset = shape.reduce((sum, size, axis) => sum * size + (size === 1 ? 0 : (own[axis] as number)), 0);
  return data[offset] as number;
}

/** Checks that building throws a ShapeError whose message has every part. */
export function expectShapeError(build: () => unknown, ...parts: readonly string[]): void {
  let thrown: unknown;
  try {
    build();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(ShapeError);
  for (const part of parts) expect((thrown as Error).message).toContain(part);
}

export interface OperatorCheck {
  /** The operator over symbolic inputs. */
  readonly build: (...inputs: Tensor[]) => Tensor;
  /** Float inputs; the gradient is checked for each. */
  readonly inputs: readonly HostTensor<"float32">[];
  /** Further inputs (indices, masks) without gradient. */
  readonly constants?: readonly HostTensor[];
  readonly shape: Shape;
  /** The same by plain loops; row-major. */
  readonly expected: readonly number[];
  /** False for operators without a gradient. */
  readonly differentiable?: boolean;
  /** For float32: round-off of the value, relative to the largest. */
  readonly tolerance?: number;
}

/** Checks an operator: shape rule, values on the engine, gradients. */
export async function checkOperator(check: OperatorCheck): Promise<void> {
  const hosts: readonly HostTensor[] = [...check.inputs, ...(check.constants ?? [])];
  const symbols = hosts.map(({ dtype, shape }, i) => input(`x${i}`, dtype, shape));
  const feeds = Object.fromEntries(hosts.map((tensor, i) => [`x${i}`, tensor]));
  const output = check.build(...symbols);
  expect(output.shape).toEqual(check.shape);
  for (const engine of testRuntimes) {
    const { y } = await runOnce(engine, buildGraph({ y: output }), feeds);
    expectClose(numbers(y), check.expected, check.tolerance ?? 1e-5);
    if (check.differentiable === false) continue;
    await checkGradient(engine, output, symbols.slice(0, check.inputs.length), feeds);
  }
}

/** Largest difference over the largest expected value. */
export function expectClose(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(actual.length).toBe(expected.length);
  const largest = Math.max(1e-6, ...expected.filter(Number.isFinite).map(Math.abs));
  expected.forEach((value, i) => {
    if (!Object.is(actual[i], value) && !(Math.abs((actual[i] as number) - value) <= tolerance * largest)) {
      expect.fail(`element ${i}: expected ${value}, got ${actual[i]} (tolerance ${tolerance} of ${largest})`);
    }
  });
}

const STEP = 1e-2;
/** Central differences of step 1e-2 in float32: truncation about 1e-4, round-off about 1e-5. */
const GRADIENT_TOLERANCE = 2e-3;

async function checkGradient(
  engine: Runtime,
  output: Tensor,
  symbols: readonly Tensor[],
  feeds: Record<string, HostTensor>,
) {
  const weights = randomTensor(99, output.shape as number[]);
  const seed = input("seed", "float32", output.shape);
  const grads = vectorJacobianProduct(output, seed, symbols);
  const named = Object.fromEntries(grads.map((grad, i) => [`g${i}`, grad]));
  const executable = await engine.compile(buildGraph({ ...named, y: output }));
  const run = (changed: Record<string, HostTensor>) => executable.run({ ...feeds, seed: weights, ...changed });
  const analytic = await run({});
  const weighted = (results: Record<string, HostTensor>) =>
    numbers(results["y"]).reduce((sum, value, i) => sum + value * (weights.data[i] as number), 0);
  for (const [i, symbol] of symbols.entries()) {
    expect(grads[i]?.shape).toEqual(symbol.shape);
    const numeric: number[] = [];
    const source = feeds[`x${i}`] as HostTensor<"float32">;
    for (let at = 0; at < source.data.length; at++) {
      const shifted = async (step: number) => {
        const data = source.data.slice();
        data[at] = (data[at] as number) + step;
        return weighted(await run({ [`x${i}`]: { ...source, data } }));
      };
      numeric.push(((await shifted(STEP)) - (await shifted(-STEP))) / (2 * STEP));
    }
    expectClose(numbers(analytic[`g${i}`]), numeric, GRADIENT_TOLERANCE);
  }
  await executable.dispose();
}

/** ONNX Runtime behind the Runtime interface: what is its own. (What it shares with other engines is in runtime.test.ts.) */
import * as ort from "onnxruntime-node";
import { expect, test } from "vitest";
import { numbers } from "../../test/graph-checks.ts";
import { ArgumentError, RuntimeError } from "../errors.ts";
import { buildGraph, input } from "../graph/graph.ts";
import { exp } from "../graph/ops/exp.ts";
import { gather } from "../graph/ops/gather.ts";
import { createOnnxRuntime } from "../node/onnxruntime.ts";
import { hostTensor, zeros } from "../util/tensor.ts";
import { onnxRuntime } from "./onnxruntime.ts";

test("the facts that a resumed run must find again", () => {
  const runtime = createOnnxRuntime({ threads: 2 });
  expect(runtime).toMatchObject({ name: "onnxruntime", precision: "f32", threads: 2 });
  expect(runtime.version).toMatch(/^\d+\.\d+\.\d+/);
  expect(() => createOnnxRuntime({ threads: 0 })).toThrow(ArgumentError);
  expect(() => createOnnxRuntime({ threads: 1.5 })).toThrow(/threads/);
});

test("an index outside of a table is refused", async () => {
  const runtime = createOnnxRuntime({ threads: 1 });
  const y = gather(input("t", "float32", [3, 2]), input("i", "int32", [1]));
  const executable = await runtime.compile(buildGraph({ y }));
  const wrong = executable.run({ t: zeros("float32", [3, 2]), i: hostTensor("int32", [1], Int32Array.of(7)) });
  await expect(wrong).rejects.toThrow(RuntimeError);
  await expect(wrong).rejects.toThrow(/onnxruntime: run: .*7/);
  await runtime.dispose();
});

test("a runtime disposes of what it has compiled, and can compile again", async () => {
  const runtime = createOnnxRuntime({ threads: 1 });
  const graph = buildGraph({ y: exp(input("x", "float32", [1])) });
  const executable = await runtime.compile(graph);
  await runtime.dispose();
  await expect(executable.run({ x: zeros("float32", [1]) })).rejects.toThrow(/disposed/);
  const again = await runtime.compile(graph);
  expect(numbers((await again.run({ x: zeros("float32", [1]) }))["y"])).toEqual([1]);
  await runtime.dispose();
});

test.each([
  ["a copy", true],
  ["the memory itself", false],
])("outputs are in the memory that is given where the binding returns %s", async (_, isCopy) => {
  const returned: Float32Array[] = [];
  const create = async (...args: Parameters<typeof ort.InferenceSession.create>) => {
    const session = await ort.InferenceSession.create(...args);
    const run = session.run.bind(session) as (...args: unknown[]) => ReturnType<typeof session.run>;
    session.run = async (feeds: unknown, fetches: unknown) => {
      await run(feeds, fetches);
      const { y } = fetches as { y: ort.TypedTensor<"float32"> };
      returned.push(isCopy ? y.data.slice() : y.data);
      return { y: new ort.Tensor("float32", returned[0] as Float32Array, y.dims) };
    };
    return session;
  };
  const runtime = onnxRuntime({ ...ort, InferenceSession: { create: create as never } }, { threads: 1 });
  const executable = await runtime.compile(buildGraph({ y: exp(input("x", "float32", [2])) }));
  const y = zeros("float32", [2]);
  const outputs = await executable.run({ x: zeros("float32", [2]) }, { y });
  expect(outputs["y"]).toBe(y);
  expect(numbers(y)).toEqual([1, 1]);
  // A copy is freed: nobody reads it.
  expect(returned[0]?.length).toBe(isCopy ? 0 : 2);
  await runtime.dispose();
});

/** What users are told when an engine gives up: how much memory the graph's plan takes, or another engine. */
import { expect, test } from "vitest";
import type { Dim } from "../graph/dims.ts";
import { buildGraph, input, parameter } from "../graph/graph.ts";
import { exp } from "../graph/ops/exp.ts";
import { linear } from "../graph/ops/matmul.ts";
import { compileHint, memoryHint, runHint } from "./failure-hint.ts";

/** 4 MB of weights; for 1,000 rows 4 MB each come in, lie in between and go out. */
const graphOf = (rows: Dim) =>
  buildGraph({ y: exp(linear(input("x", "float32", [rows, 1000]), parameter("w", [1000, 1000]))) });

test.each([
  "std::bad_alloc",
  "Failed to allocate memory for requested buffer of size 1073741824",
  "Could not allocate 1073741824 bytes",
  "bad allocation: out of memory",
])("of %s the plan is told, and what to lower", (message) => {
  for (const engine of ["openvino", "onnxruntime"]) {
    const hint = compileHint(engine, message, graphOf(1000));
    expect(hint).toContain(
      "out of memory: by its plan the graph takes 16 MB (weights 4 MB, inner results 4 MB, inputs and outputs 8 MB)",
    );
    expect(hint).toMatch(/Lower the batch size or the sequence length.*--recompute; zhbert plan/);
  }
});

test("sizes that are known only when it runs", () => {
  const graph = graphOf("n");
  expect(memoryHint(graph)).toContain("4 MB of weights, and inner results by batch and length");
  expect(memoryHint(graph, { n: 2000 })).toContain("takes 28 MB (weights 4 MB, inner results 8 MB");
});

test("of anything else another engine is told, or that it may be the memory", () => {
  const graph = graphOf(1000);
  expect(compileHint("openvino", "unsupported: Foo", graph)).toMatch(
    /operator that openvino lacks\? --runtime onnxruntime/,
  );
  expect(compileHint("openvino", "Unable to read the model. Please check", graph)).toMatch(
    /onnx_frontend\) is missing/,
  );
  expect(compileHint("onnxruntime", "could not create a memory descriptor", graph)).toMatch(/--runtime openvino may/);
  expect(runHint("Non-zero status code", graph, {})).toMatch(/^if it is out of memory: by its plan/);
});

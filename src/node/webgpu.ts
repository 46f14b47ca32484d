/** Whether WebGPU has a graphics processor here. */
import { execFile } from "node:child_process";
import { RuntimeError, verbatim } from "../errors.ts";
import { buildGraph, type Graph, input } from "../graph/graph.ts";
import { mul } from "../graph/ops/arithmetic.ts";
import { lowerGraph } from "../onnx/lower.ts";
import { serializeModel } from "../onnx/serialize.ts";

/** Drivers may be started by it. */
const TIMEOUT_MS = 8000;

/** A graph with which an engine shows that it works. */
export function smallestGraph(): Graph {
  const x = input("x", "float32", [1]);
  return buildGraph({ y: mul(x, x) });
}

/** The error of a machine without one. @param message - of the engine. */
export function noGraphicsProcessor(message: string, cause?: unknown): RuntimeError {
  return new RuntimeError({
    where: "runtime webgpu",
    expected: "a graphics processor that WebGPU can use",
    got: verbatim(/Failed to get a WebGPU adapter[^\n"]*/.exec(message)?.[0] ?? message.trim()),
    hint: "install its driver (on Linux that for Vulkan, and libvulkan1), or take --runtime auto",
    cause,
  });
}

/**
 * Tries WebGPU in a process of its own: drivers write to stderr, and may end the process that they are in.
 * @returns what is wrong; undefined where it works.
 */
export function probeWebGpu(): Promise<RuntimeError | undefined> {
  const { model } = serializeModel(lowerGraph(smallestGraph(), { contrib: false }), {});
  const engine = JSON.stringify(import.meta.resolve("onnxruntime-node"));
  const program = `const { InferenceSession } = await import(${engine});
const model = Buffer.from(${JSON.stringify(Buffer.from(model).toString("base64"))}, "base64");
await InferenceSession.create(model, { executionProviders: ["webgpu"], logSeverityLevel: 4 }).catch(({ message }) => console.log(message));
process.exit();`;
  return new Promise((done) => {
    const options = { timeout: TIMEOUT_MS };
    execFile(process.execPath, ["--input-type=module", "--eval", program], options, (error, stdout) => {
      const message = stdout.trim() || (error === null ? "" : `a process that ended: ${error.signal ?? error.code}`);
      done(message === "" ? undefined : noGraphicsProcessor(message));
    });
  });
}

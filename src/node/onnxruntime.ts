/** ONNX Runtime for Node.js: the native module, and how many threads it gets. */
import { availableParallelism } from "node:os";
import * as ort from "onnxruntime-node";
import { ArgumentError } from "../errors.ts";
import { onnxRuntime } from "../runtime/onnxruntime.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { openEngineArena } from "./engine-arena.ts";
import { readProcessor, saturatesInt8 } from "./processor.ts";

/**
 * ONNX Runtime's CPU provider in this process.
 * @param options.threads - threads inside of one run; all processors when left out.
 * @throws {ArgumentError} when `threads` is no positive integer.
 */
export function createOnnxRuntime(options: { readonly threads?: number } = {}): Runtime {
  const threads = options.threads ?? availableParallelism();
  if (!Number.isInteger(threads) || threads < 1) {
    throw new ArgumentError({ where: "threads", expected: "a positive integer", got: threads });
  }
  return onnxRuntime(ort, { threads, openArena: openEngineArena, saturatesInt8: () => saturatesInt8(readProcessor()) });
}

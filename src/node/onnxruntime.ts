/** ONNX Runtime for Node.js: the native module, and how many threads it gets. */
import * as ort from "onnxruntime-node";
import { onnxRuntime } from "../runtime/onnxruntime.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { openEngineArena } from "./engine-arena.ts";
import { engineThreads, readProcessor, saturatesInt8 } from "./processor.ts";

/**
 * ONNX Runtime's CPU provider in this process.
 * @param options.threads - threads inside of one run; all processors when left out.
 * @throws {ArgumentError} when `threads` is no whole number from 1 on.
 */
export function createOnnxRuntime(options: { readonly threads?: number } = {}): Runtime {
  const threads = engineThreads(options.threads);
  return onnxRuntime(ort, { threads, openArena: openEngineArena, saturatesInt8: () => saturatesInt8(readProcessor()) });
}

/** ONNX Runtime with a clock around each run, so that what the package does outside of it can be told. */
import * as ort from "onnxruntime-node";
import type { OnnxRuntimeModule } from "../src/runtime/onnxruntime.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { built } from "./built.ts";

/** A runtime, and the time that its engine took. */
export interface TimedRuntime {
  readonly runtime: Runtime;
  /** Seconds inside of the engine since the last call. */
  takeSeconds(): number;
}

/** The package's runtime over a module that measures its runs. */
export async function timedRuntime(threads: number): Promise<TimedRuntime> {
  const { onnxRuntime } = await built("node/index");
  let milliseconds = 0;
  const create: OnnxRuntimeModule["InferenceSession"]["create"] = async (model, options) => {
    const session = await ort.InferenceSession.create(model, options);
    const run = session.run.bind(session) as (...args: unknown[]) => ReturnType<typeof session.run>;
    session.run = async (...args: unknown[]) => {
      const began = performance.now();
      const results = await run(...args);
      milliseconds += performance.now() - began;
      return results;
    };
    return session;
  };
  return {
    runtime: onnxRuntime({ ...ort, InferenceSession: { create } }, { threads }),
    takeSeconds: () => {
      const seconds = milliseconds / 1000;
      milliseconds = 0;
      return seconds;
    },
  };
}

/** The engine's name and version. */
export function engineVersion(): string {
  return `onnxruntime ${ort.env.versions.node}`;
}

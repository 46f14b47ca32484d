/** The engines of Node.js: the one place where a runtime is made, by name, or by a measurement of what is faster here. */
import * as ort from "onnxruntime-node";
import type { BertConfig } from "../model/config.ts";
import { onnxRuntime } from "../runtime/onnxruntime.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { EngineIdentity } from "../train/trainer-state.ts";
import { given } from "../util/given.ts";
import {
  chooseRuntime,
  type Engines,
  type InstalledEngine,
  type OpenEngine,
  PRECISIONS,
  type Precision,
  RUNTIMES,
  type RuntimeName,
  type RuntimeOptions,
} from "./choose-runtime.ts";
import { returnLargeBlocks } from "./large-blocks.ts";
import { measureLayer, usualWork, workOf } from "./measure-layer.ts";
import { createOnnxRuntime } from "./onnxruntime.ts";
import { findOpenVino, inWords } from "./openvino/find.ts";
import { createOpenVinoRuntime } from "./openvino.ts";
import { readProcessor } from "./processor.ts";
import { noGraphicsProcessor, smallestGraph } from "./webgpu.ts";

/**
 * An engine: by name, or with `auto` the one that computes a layer faster on this machine, which is measured in under two
 * seconds, once for each processor, engine version, number of threads and size of layer.
 * @throws {ArgumentError} for a name, precision or number of threads that cannot be.
 * @throws {RuntimeError} when the engine is not installed, or cannot be loaded.
 */
export function createRuntime(options: RuntimeOptions = {}): Promise<Runtime> {
  return chooseRuntime(options, nodeEngines());
}

/** Which engine computes, as functions of the library take it. */
export interface EngineChoice {
  /** An engine, which is not disposed of; or the name of one, `auto` for the faster one. ONNX Runtime when left out. */
  readonly runtime?: Runtime | RuntimeName | "auto";
  /** Of an engine by name: `f32` when left out; `auto` takes `bf16` where that is faster. */
  readonly precision?: Precision | "auto";
  /** Of an engine by name: threads of all runs together; all processors when left out. */
  readonly threads?: number;
  /** Of an engine by name: runs at a time where a stream of texts is worked through, as `createRuntime` takes them; one in training. */
  readonly streams?: number | "auto";
}

/** An engine, and what ends its use: one that was passed in stays as it is. */
export interface OpenedRuntime {
  readonly runtime: Runtime;
  release(): Promise<void>;
}

/** What an engine is opened for. */
export interface EngineUse {
  readonly mode: "inference" | "training";
  /** The model's; that of BERT-base where it is not known yet. */
  readonly config?: BertConfig;
  /** What people should know of the choice. */
  readonly onNote?: ((text: string) => void) | undefined;
}

/** Opens the engine that is chosen; one that was passed in is taken as it is. @throws as `createRuntime`. */
export async function openRuntime(
  { runtime, precision, threads, streams, fallback }: EngineChoice & Pick<RuntimeOptions, "fallback">,
  { mode, config, onNote }: EngineUse,
): Promise<OpenedRuntime> {
  if (typeof runtime === "object") return { runtime, release: async () => undefined };
  if (mode === "training") returnLargeBlocks();
  const work = config === undefined ? usualWork(mode) : workOf(config, mode);
  // Of a quantised model what is not int8 is computed in f32.
  const rest = precision === "int8" && config?.quantization !== undefined ? "f32" : precision;
  // A step of training is one run, which would have a share of the threads alone.
  const atOnce = mode === "inference" ? streams : undefined;
  const choice = given({ runtime, precision: rest, threads, streams: atOnce, fallback, onNote });
  const created = await createRuntime({ work, ...choice });
  return { runtime: created, release: () => created.dispose() };
}

/** The choice of a run that goes on: its own engine, unless another one is named. */
export function resumedChoice(
  { runtime = "auto", precision = "auto", threads }: EngineChoice,
  engine: Omit<EngineIdentity, "version">,
): EngineChoice & Pick<RuntimeOptions, "fallback"> {
  // Names come from a file: what is none of ours is left to the defaults, and refused as another engine than the run's.
  const name = runtime === "auto" ? RUNTIMES.find((one) => one === engine.name) : runtime;
  const own = name === "openvino" && engine.name === name ? engine.precision : undefined;
  const chosen = precision === "auto" ? PRECISIONS.find((one) => one === own) : precision;
  const found = given({ runtime: name, precision: chosen });
  return { ...found, threads: threads ?? engine.threads, fallback: runtime === "auto" };
}

/** The version of onnxruntime-node. */
export const ONNX_RUNTIME_VERSION = ort.env.versions.node ?? ort.env.versions.common;

/** The engines of this process. */
export function nodeEngines(): Engines {
  return { processor: readProcessor(), installed: installedEngines, open: openEngine, measure: measureLayer };
}

/** WebGPU is taken only when it is named: whether there is a graphics processor cannot be told without noise on stderr. */
async function installedEngines(): Promise<readonly InstalledEngine[]> {
  const { found, rejected } = findOpenVino();
  const engines: InstalledEngine[] = [{ runtime: "onnxruntime", version: ONNX_RUNTIME_VERSION, precisions: ["f32"] }];
  if (found) engines.push({ runtime: "openvino", version: found.version, precisions: ["f32", "bf16"] });
  else if (rejected.length > 0) {
    const problem = rejected.map(inWords).join("; ");
    engines.push({ runtime: "openvino", version: "", precisions: [], problem });
  }
  return engines;
}

async function openEngine({ runtime, precision, threads, streams, onNote }: OpenEngine): Promise<Runtime> {
  if (runtime === "webgpu") return openWebGpu(threads);
  if (runtime === "onnxruntime") return createOnnxRuntime({ threads });
  const common = { threads, ...given({ streams, onNote }) };
  return createOpenVinoRuntime({ ...common, precision: precision === "bf16" ? "bf16" : "f32" });
}

/** ONNX Runtime's WebGPU provider, which shows only with a first graph whether there is a graphics processor. */
async function openWebGpu(threads: number): Promise<Runtime> {
  const runtime = onnxRuntime(ort, { threads, provider: "webgpu" });
  try {
    await (await runtime.compile(smallestGraph())).dispose();
    return runtime;
  } catch (cause) {
    throw noGraphicsProcessor(String(cause), cause);
  }
}

/** What this machine has for computing: engines, processor, memory, measured speeds, and which engine is taken for what. */
import { createRequire } from "node:module";
import { freemem, release, totalmem, type } from "node:os";
import { dirname } from "node:path";
import type { RuntimeError } from "../errors.ts";
import { builtinSizes } from "../model/config.ts";
import {
  type EngineChoices,
  type Engines,
  measureChoices,
  type Precision,
  type RuntimeName,
} from "./choose-runtime.ts";
import { defaultCacheDir } from "./hub-cache.ts";
import { machineCacheFolder } from "./machine-cache.ts";
import { measureMachinePeak, rememberedMachinePeak } from "./machine-peak.ts";
import { type LayerWork, usualWork } from "./measure-layer.ts";
import { type MemoryBandwidth, measureMemoryBandwidth } from "./memory-bandwidth.ts";
import { findOpenVino, inWords, OPENVINO_HINT } from "./openvino/find.ts";
import { multipliesBf16, type Processor } from "./processor.ts";
import { nodeEngines, ONNX_RUNTIME_VERSION } from "./runtimes.ts";
import { probeWebGpu } from "./webgpu.ts";

/** An engine as it was found. */
export interface FoundEngine {
  readonly runtime: RuntimeName;
  /** Whether it can be used. */
  readonly isReady: boolean;
  readonly version?: string;
  readonly path?: string;
  /** Where the search was that found it. */
  readonly foundBy?: string;
  readonly precisions: readonly Precision[];
  /** What is wrong with it, or with what was found before it. */
  readonly problems: readonly string[];
  /** How to get it. */
  readonly hint?: string;
}

/** The rate of large matrix products; of int8 those of a quantised model's layer. */
export interface EnginePeak {
  readonly runtime: RuntimeName;
  readonly version: string;
  readonly precision: Precision;
  readonly flopsPerSecond?: number;
  /** Why there is none. */
  readonly error?: string;
}

/** The engines for some work. */
export interface WorkChoice extends EngineChoices {
  readonly mode: "inference" | "training";
  /** The built-in sizes that have such layers. */
  readonly sizes: readonly string[];
}

/** Everything that a report of the machine says. */
export interface MachineReport {
  readonly node: string;
  readonly system: string;
  readonly processor: Processor;
  /** Whether it multiplies bfloat16 itself; undefined where that is not known. */
  readonly multipliesBf16: boolean | undefined;
  readonly memory: { readonly totalBytes: number; readonly freeBytes: number };
  readonly bandwidth: MemoryBandwidth;
  readonly engines: readonly FoundEngine[];
  readonly peaks: readonly EnginePeak[];
  readonly choices: readonly WorkChoice[];
  readonly jieba: { readonly version?: string; readonly error?: string };
  readonly caches: { readonly models: string; readonly measurements: string };
}

/** Looks and measures, some seconds long. @param onStep - is told what is done next. */
export async function examineMachine(onStep: (step: string) => void = () => undefined): Promise<MachineReport> {
  const engines = nodeEngines();
  const { processor } = engines;
  onStep("graphics processor");
  const noWebGpu = await probeWebGpu();
  onStep("memory");
  const bandwidth = await measureMemoryBandwidth(processor.threads);
  const found = [onnxRuntimeFound(), openVinoFound(), webGpuFound(noWebGpu)];
  const peaks: EnginePeak[] = [];
  for (const engine of found.filter(({ isReady }) => isReady)) {
    for (const precision of engine.precisions) {
      if (precision === "bf16" && multipliesBf16(processor) === false) continue;
      onStep(`${engine.runtime} ${precision}`);
      peaks.push(await peakOf(engines, engine, precision));
    }
  }
  const choices: WorkChoice[] = [];
  for (const mode of ["inference", "training"] as const) {
    onStep(`a layer in ${mode}`);
    const work = usualWork(mode);
    choices.push({ mode, sizes: sizesOf(work), ...(await measureChoices(engines, work)) });
  }
  return {
    node: process.version,
    system: `${type()} ${release()}`,
    processor,
    multipliesBf16: multipliesBf16(processor),
    memory: { totalBytes: totalmem(), freeBytes: freemem() },
    bandwidth,
    engines: found,
    peaks,
    choices,
    jieba: jiebaFound(),
    caches: { models: defaultCacheDir(), measurements: machineCacheFolder() },
  };
}

const require = createRequire(import.meta.url);

function onnxRuntimeFound(): FoundEngine {
  return {
    runtime: "onnxruntime",
    isReady: true,
    version: ONNX_RUNTIME_VERSION,
    path: dirname(require.resolve("onnxruntime-node/package.json")),
    foundBy: "zhbert's dependency",
    precisions: ["f32", "int8"],
    problems: [],
  };
}

function openVinoFound(): FoundEngine {
  const { found, rejected } = findOpenVino();
  const problems = rejected.map(inWords);
  const common = { runtime: "openvino", precisions: ["f32", "bf16", "int8"], problems } as const;
  if (found === undefined) return { ...common, isReady: false, hint: OPENVINO_HINT };
  return { ...common, isReady: true, version: found.version, path: found.library, foundBy: found.source };
}

function webGpuFound(problem: RuntimeError | undefined): FoundEngine {
  const common = {
    runtime: "webgpu",
    version: ONNX_RUNTIME_VERSION,
    foundBy: "within onnxruntime",
    precisions: ["f32"],
  } as const;
  if (problem === undefined) return { ...common, isReady: true, problems: [] };
  return {
    ...common,
    isReady: false,
    problems: [problem.message.replace(/^runtime webgpu: /, "")],
    hint: problem.hint,
  };
}

async function peakOf(
  engines: Engines,
  { runtime: name, version = "" }: FoundEngine,
  precision: Precision,
): Promise<EnginePeak> {
  const engine = { runtime: name, version, precision };
  try {
    // Of a quantised model what is not int8 is computed in f32.
    const opened = precision === "int8" ? "f32" : precision;
    const runtime = await engines.open({ runtime: name, precision: opened, threads: engines.processor.threads });
    try {
      if (precision === "int8") return { ...engine, flopsPerSecond: await measureMachinePeak(runtime, precision) };
      return { ...engine, flopsPerSecond: await rememberedMachinePeak(runtime) };
    } finally {
      await runtime.dispose();
    }
  } catch (error) {
    return { ...engine, error: error instanceof Error ? error.message : String(error) };
  }
}

function sizesOf({ hiddenSize, intermediateSize }: LayerWork): string[] {
  return Object.entries(builtinSizes)
    .filter(([, size]) => size.hiddenSize === hiddenSize && size.intermediateSize === intermediateSize)
    .map(([name]) => name);
}

/** The native module is loaded, which fails where there is none for this system. */
function jiebaFound(): MachineReport["jieba"] {
  try {
    require("@node-rs/jieba");
    return { version: require("@node-rs/jieba/package.json").version };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

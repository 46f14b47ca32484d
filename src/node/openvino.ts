/** OpenVINO behind the Runtime interface: the same ONNX graphs at bfloat16 or float32, through its C library. */
import { RuntimeError, verbatim } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { lowerGraph } from "../onnx/lower.ts";
import { serializeModel } from "../onnx/serialize.ts";
import { checkWeights } from "../runtime/checks.ts";
import { CompiledGraphs } from "../runtime/compiled-graphs.ts";
import { compileHint } from "../runtime/failure-hint.ts";
import type { CompileOptions, Executable, Runtime } from "../runtime/runtime.ts";
import { expectOk, type Handle, type OpenVinoApi } from "./openvino/c-api.ts";
import { OpenVinoExecutable } from "./openvino/executable.ts";
import {
  type FoundOpenVino,
  findOpenVino,
  inWords,
  OLDEST_OPENVINO,
  OPENVINO_HINT,
  openVinoApi,
} from "./openvino/find.ts";
import { divideWeights } from "./openvino/weights.ts";
import {
  engineStreams,
  engineThreads,
  multipliesBf16,
  type Processor,
  readProcessor,
  withoutBf16,
} from "./processor.ts";

/** How OpenVINO is used. */
export interface OpenVinoOptions {
  /** Threads of all runs together; all processors when left out. */
  readonly threads?: number;
  /**
   * Runs that an executable computes at the same time, each on its share of the threads; 1 when left out. More bring a stream
   * of batches further, and keep single texts waiting longer.
   */
  readonly streams?: number;
  /** The precision of matrix products; `f32` when left out. Where the device has no bfloat16, `f32` is used and noted. */
  readonly precision?: OpenVinoPrecision;
  /** Path of the C library, or of a folder that has it; searched for when left out. */
  readonly library?: string;
  /** `CPU` when left out. */
  readonly device?: "CPU" | "GPU" | "AUTO";
  /** A folder in which compiled graphs are kept for later processes; none when left out. */
  readonly cacheFolder?: string;
  /** Is told what is done otherwise than asked. */
  readonly onNote?: (text: string) => void;
}

/** A precision of matrix products; sums and everything outside of products are float32 where the engine allows. */
export type OpenVinoPrecision = "f32" | "bf16";

/** From version 18 on reductions have their axes as an input; of the attribute before it, ReduceLogSumExp is read without. */
const OPENVINO_OPSET = 18;

/** Weights below this size are inside of the model; the engine takes its copy of larger ones from where they lie. */
const MIN_APART_BYTES = 1 << 10;

/**
 * OpenVINO in this process.
 * @throws {RuntimeError} when it is not found, does not load, is too old, or has no such device.
 * @throws {ArgumentError} when `threads` is no whole number from 1 on, or `streams` none in 1 .. threads.
 */
export async function createOpenVinoRuntime(options: OpenVinoOptions = {}): Promise<Runtime> {
  const threads = engineThreads(options.threads);
  const streams = engineStreams(options.streams, threads);
  const { library, version } = requireOpenVino(options.library);
  const api = openVinoApi(library);
  const core = createCore(api);
  const device = options.device ?? "CPU";
  const found = { device, capabilities: capabilitiesOf(api, core, device), processor: readProcessor() };
  const precision = supportedPrecision(options.precision, found, options.onNote);
  configure(api, core, device, { ...options, threads, streams, precision });
  const engine: Engine = { api, core, device, precision, streams };
  const compiled = new CompiledGraphs((graph, compileOptions, onDispose) =>
    compileGraph(engine, graph, compileOptions, onDispose),
  );
  const runtime: Runtime = {
    name: "openvino",
    version,
    precision,
    threads,
    streams,
    compile: (graph, compileOptions) => compiled.compile(graph, compileOptions),
    dispose: () => compiled.dispose(),
  };
  unusedCores.register(runtime, { api, core });
  return runtime;
}

/** A core holds its plugins and little else; it goes with its runtime. */
const unusedCores = new FinalizationRegistry<{ api: OpenVinoApi; core: Handle }>(({ api, core }) => api.freeCore(core));

function requireOpenVino(library: string | undefined): FoundOpenVino {
  const { found, rejected } = findOpenVino(library);
  if (found) return found;
  throw new RuntimeError({
    where: "openvino",
    expected: `the library of OpenVINO ${OLDEST_OPENVINO} or later`,
    got: verbatim(rejected.map(inWords).join("; ") || "none"),
    hint: OPENVINO_HINT,
  });
}

function createCore(api: OpenVinoApi): Handle {
  const core: Handle[] = [0n];
  expectOk(api, api.createCore(core), "start", "a library that starts", "pip install --force-reinstall openvino");
  return core[0] as Handle;
}

/** What a device can do, such as `FP32 INT8 BF16`. @throws {RuntimeError} when there is no such device. */
function capabilitiesOf(api: OpenVinoApi, core: Handle, device: string): readonly string[] {
  const capabilities = api.getProperty(core, device, "OPTIMIZATION_CAPABILITIES");
  if (capabilities !== undefined) return capabilities.split(" ");
  const reason = api.lastError().trim().split("\n").at(-1);
  const whatToDo =
    device === "CPU"
      ? "its plugin beside the library is missing or does not load: pip install --force-reinstall openvino"
      : "CPU is always there";
  throw new RuntimeError({
    where: "openvino: device",
    expected: "a device of this machine",
    got: device,
    hint: `${whatToDo}; the engine says: ${reason}`,
  });
}

/** A device, and the processor beside it. */
interface DeviceFacts {
  readonly device: string;
  readonly capabilities: readonly string[];
  readonly processor: Processor;
}

/**
 * The precision that a device computes in: float32 where it has no bfloat16, or where the engine would imitate it on a
 * processor that does not multiply it, which is slower than float32.
 */
export function supportedPrecision(
  asked: OpenVinoPrecision = "f32",
  { device, capabilities, processor }: DeviceFacts,
  onNote: (text: string) => void = () => undefined,
): OpenVinoPrecision {
  if (asked === "f32") return asked;
  const isImitated = device !== "GPU" && multipliesBf16(processor) === false;
  if (capabilities.includes("BF16") && !isImitated) return asked;
  onNote(isImitated ? withoutBf16(processor) : `${device} has no bf16: f32 is used`);
  return "f32";
}

interface Configuration extends OpenVinoOptions {
  readonly threads: number;
  readonly streams: number;
  readonly precision: OpenVinoPrecision;
}

/** Sets what compiled graphs of a core have in common; each hint outright, since what is left out is the device's choice. */
function configure(api: OpenVinoApi, core: Handle, device: string, configuration: Configuration): void {
  const { threads, streams, precision, cacheFolder } = configuration;
  const set = (on: string, key: string, value: string) =>
    expectOk(api, api.setProperty(core, on, key, value), `property ${key}`, `${on} to take ${value}`);
  set(device, "PERFORMANCE_HINT", "LATENCY");
  for (const on of device === "AUTO" ? ["CPU"] : [device]) set(on, "INFERENCE_PRECISION_HINT", precision);
  if (device !== "GPU") set("CPU", "INFERENCE_NUM_THREADS", String(threads));
  if (streams > 1) set(device === "AUTO" ? "CPU" : device, "NUM_STREAMS", String(streams));
  if (cacheFolder !== undefined) set(device, "CACHE_DIR", cacheFolder);
}

/** A core that is set up for a device. */
interface Engine {
  readonly api: OpenVinoApi;
  readonly core: Handle;
  readonly device: string;
  readonly precision: OpenVinoPrecision;
  readonly streams: number;
}

async function compileGraph(
  engine: Engine,
  graph: Graph,
  { weights }: CompileOptions,
  onDispose: () => void,
): Promise<Executable> {
  if (weights) checkWeights("openvino", graph.inputs, weights);
  const { api, precision, streams } = engine;
  const bfloat16Products = precision === "bf16";
  const target = { contrib: true, opset: OPENVINO_OPSET, bfloat16Products, fusesElementwise: true };
  const lowered = lowerGraph(graph, target);
  const { constants, fed } = divideWeights(lowered, weights ?? new Map());
  const { model } = serializeModel(lowered, {
    weights: constants,
    addressOf: ({ data }) => (data.byteLength < MIN_APART_BYTES ? undefined : api.address(data)),
  });
  const hint = (message: string) => compileHint("openvino", message, graph);
  const compiled = await compileModel(engine, model, hint);
  const inputs = graph.inputs.filter(({ name, parameter }) => !(parameter && constants.has(name)));
  try {
    return new OpenVinoExecutable({ api, compiled, graph, inputs, fed, streams, onDispose });
  } catch (error) {
    api.freeCompiled(compiled);
    throw error;
  }
}

async function compileModel(
  { api, core, device }: Engine,
  bytes: Uint8Array,
  hint: (message: string) => string,
): Promise<Handle> {
  const model: Handle[] = [0n];
  const expected = "a graph that the engine accepts";
  expectOk(api, await api.readModel(core, bytes, bytes.length, null, model), "compile", expected, hint);
  try {
    const compiled: Handle[] = [0n];
    expectOk(api, await api.compileModel(core, model[0] as Handle, device, 0, compiled), "compile", expected, hint);
    return compiled[0] as Handle;
  } finally {
    api.freeModel(model[0] as Handle);
  }
}

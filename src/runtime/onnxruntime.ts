/** ONNX Runtime behind the Runtime interface. The module (for Node or for the web) is passed in. */
import type { InferenceSession, Tensor as OrtTensor, TypedTensor } from "onnxruntime-common";
import { RuntimeError, verbatim } from "../errors.ts";
import type { Graph, GraphInput } from "../graph/graph.ts";
import { lowerGraph } from "../onnx/lower.ts";
import { serializeModel } from "../onnx/serialize.ts";
import { freeBuffers } from "../util/free-buffers.ts";
import type { DType, HostTensor } from "../util/tensor.ts";
import { type AxisSizes, checkInputs, checkOutputs, checkWeights } from "./checks.ts";
import { CompiledGraphs } from "./compiled-graphs.ts";
import { compileHint, runHint } from "./failure-hint.ts";
import type { CompileOptions, Executable, Runtime } from "./runtime.ts";

/** The part of onnxruntime-node and onnxruntime-web that is used. */
export interface OnnxRuntimeModule {
  readonly InferenceSession: {
    create(model: Uint8Array, options?: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  readonly Tensor: new (type: "float32", data: Float32Array, dims: readonly number[]) => OrtTensor;
  readonly env: { readonly versions: { readonly common: string; readonly node?: string; readonly web?: string } };
}

/** How ONNX Runtime is used. */
export interface OnnxRuntimeOptions {
  /** Threads inside of one run. */
  readonly threads: number;
  /**
   * Where it computes; `cpu`. With `webgpu` the engine is called so: operators that a graphics processor lacks are computed by
   * the processor, and outputs are read into the memory that they are given.
   */
  readonly provider?: "cpu" | "webgpu";
  /**
   * Opens memory of the engine's environment, which the programs that keep theirs share; called when it is first needed.
   * It is closed with the runtime. Undefined where there is none.
   */
  readonly openArena?: () => { close(): void } | undefined;
  /**
   * Whether the processor cuts sums of two products of uint8 and int8 off at 16 bits; asked for graphs of int8 weights. They are
   * then computed in another way, which takes up to twice as long. False when left out.
   */
  readonly saturatesInt8?: () => boolean;
}

/** Weights above this size go beside the model: its bytes are parsed and copied, those are not. */
const MAX_INLINE_BYTES = 1 << 20;

/**
 * ONNX Runtime as a Runtime.
 * @param ort - the module `onnxruntime-node` or `onnxruntime-web`.
 */
export function onnxRuntime(ort: OnnxRuntimeModule, engine: OnnxRuntimeOptions): Runtime {
  let arena: { close(): void } | undefined;
  let isAsked = false;
  const sharesMemory = () => {
    if (!isAsked) arena = engine.openArena?.();
    isAsked = true;
    return arena !== undefined;
  };
  const compiled = new CompiledGraphs((graph, options, onDispose) => {
    const { weights, keepMemory = true } = options;
    // Built-in weights would be laid into it, among what comes and goes.
    const isShared = keepMemory && weights === undefined && sharesMemory();
    return compileSession(ort, graph, { ...engine, isShared }, options, onDispose);
  });
  return {
    name: engine.provider === "webgpu" ? "webgpu" : "onnxruntime",
    version: ort.env.versions.node ?? ort.env.versions.web ?? ort.env.versions.common,
    precision: "f32",
    threads: engine.threads,
    get sharesMemory() {
      return sharesMemory();
    },
    compile: (graph, options) => compiled.compile(graph, options),
    async dispose() {
      await compiled.dispose();
      arena?.close();
    },
  };
}

/** Keys of onnxruntime_session_options_config_keys.h that differ from their defaults. */
function sessionSettings(
  { nodes }: Graph,
  { isShared, saturatesInt8 }: OnnxRuntimeOptions & { readonly isShared: boolean },
): Record<string, string> {
  const hasIntegers = nodes.some(({ outputs }) => outputs.some(({ dtype }) => dtype === "int8"));
  return {
    ...(isShared ? { use_env_allocators: "1" } : {}),
    ...(hasIntegers && saturatesInt8?.() ? { x64quantprecision: "1" } : {}),
  };
}

async function compileSession(
  ort: OnnxRuntimeModule,
  graph: Graph,
  engine: OnnxRuntimeOptions & { readonly isShared: boolean },
  { weights, keepMemory = true }: CompileOptions,
  onDispose: () => void,
): Promise<OnnxExecutable> {
  const { threads, provider = "cpu" } = engine;
  if (weights) checkWeights("onnxruntime", graph.inputs, weights);
  const weightBytes = weights ? [...weights.values()].reduce((sum, { data }) => sum + data.byteLength, 0) : 0;
  // The fused operators are those of the CPU: each of them would be a journey there and back.
  const lowered = lowerGraph(graph, { contrib: provider === "cpu" });
  const { model, externalData } = serializeModel(lowered, {
    ...(weights ? { weights } : {}),
    // One file for each weight: its own memory, so that nothing is joined or copied.
    ...(weightBytes > MAX_INLINE_BYTES ? { externalFile: (name: string) => name } : {}),
  });
  try {
    const session = await ort.InferenceSession.create(model, {
      executionProviders: [provider],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: "all",
      // From its second run on it would hold one more block for all results beside the arena that the first run filled.
      enableMemPattern: false,
      enableCpuMemArena: keepMemory,
      extra: { session: sessionSettings(graph, engine) },
      logSeverityLevel: 3,
      externalData: [...externalData].map(([path, [data]]) => ({ path, data: data as Uint8Array })),
    });
    const fed = graph.inputs.filter(({ name, parameter }) => !(parameter && weights?.has(name)));
    return new OnnxExecutable(ort, session, fed, graph, onDispose);
  } catch (cause) {
    const message = wordsOf(cause);
    throw new RuntimeError({
      where: "onnxruntime: compile",
      expected: "a graph that the engine accepts",
      got: verbatim(message),
      hint: compileHint(provider === "cpu" ? "onnxruntime" : provider, message, graph),
      cause,
    });
  }
}

class OnnxExecutable implements Executable {
  private readonly ort: OnnxRuntimeModule;
  private readonly session: InferenceSession;
  private readonly inputs: readonly GraphInput[];
  private readonly graph: Graph;
  private readonly onDispose: () => void;
  private disposed = false;

  constructor(
    ort: OnnxRuntimeModule,
    session: InferenceSession,
    inputs: readonly GraphInput[],
    graph: Graph,
    onDispose: () => void,
  ) {
    this.ort = ort;
    this.session = session;
    this.inputs = inputs;
    this.graph = graph;
    this.onDispose = onDispose;
  }

  async run(
    inputs: Readonly<Record<string, HostTensor>>,
    outputs: Readonly<Record<string, HostTensor>> = {},
  ): Promise<Record<string, HostTensor>> {
    if (this.disposed) {
      throw new RuntimeError({
        where: "onnxruntime: run",
        expected: "an executable in use",
        got: verbatim("disposed"),
      });
    }
    const sizes = checkInputs("onnxruntime", this.inputs, inputs);
    checkOutputs("onnxruntime", this.graph.outputs, outputs, sizes);
    const feeds = Object.fromEntries(this.inputs.map(({ name }) => [name, this.view(inputs[name] as HostTensor)]));
    const wanted = this.session.outputNames.map((name) => [name, outputs[name] ? this.view(outputs[name]) : null]);
    const results = await this.execute(feeds, Object.fromEntries(wanted), sizes);
    freeCopies(results, outputs);
    return Object.fromEntries(
      Object.entries(results).map(([name, result]) => [name, outputs[name] ?? asHostTensor(result)]),
    );
  }

  async dispose(): Promise<void> {
    if (this.disposed) return;
    this.disposed = true;
    this.onDispose();
    await this.session.release();
  }

  private async execute(feeds: Record<string, OrtTensor>, fetches: Record<string, OrtTensor | null>, sizes: AxisSizes) {
    try {
      return await this.session.run(feeds, fetches);
    } catch (cause) {
      const message = wordsOf(cause);
      throw new RuntimeError({
        where: "onnxruntime: run",
        expected: "the graph to run",
        got: verbatim(message),
        hint: runHint(message, this.graph, sizes),
        cause,
      });
    }
  }

  private view({ dtype, data, shape }: HostTensor): OrtTensor {
    return new this.ort.Tensor(dtype as "float32", data as Float32Array, shape);
  }
}

/** What the engine says. */
function wordsOf(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).trim();
}

/** The binding writes outputs into the memory that it is given, and makes a copy of each beside: the gradients, at every step. */
function freeCopies(results: InferenceSession.ReturnType, outputs: Readonly<Record<string, HostTensor>>): void {
  const copies = Object.entries(results).flatMap(([name, { data }]) => {
    const own = outputs[name]?.data as ArrayBufferView | undefined;
    const { buffer } = data as ArrayBufferView;
    return own === undefined || own.buffer === buffer || !(buffer instanceof ArrayBuffer) ? [] : [buffer];
  });
  freeBuffers(copies);
}

function asHostTensor(tensor: OrtTensor): HostTensor {
  const { type, data, dims } = tensor as TypedTensor<"float32">;
  return { dtype: type as DType, shape: dims, data };
}

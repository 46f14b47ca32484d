/** A graph that OpenVINO has compiled: runs read and write the caller's memory, while the event loop goes on. */
import { RuntimeError, verbatim } from "../../errors.ts";
import { bindShape } from "../../graph/dims.ts";
import type { Graph, GraphInput } from "../../graph/graph.ts";
import { type AxisSizes, checkInputs, checkOutputs } from "../../runtime/checks.ts";
import { memoryHint, runHint } from "../../runtime/failure-hint.ts";
import type { Executable } from "../../runtime/runtime.ts";
import { type HostTensor, type NamedTensors, zeros } from "../../util/tensor.ts";
import { elementType, expectOk, type Handle, type OpenVinoApi } from "./c-api.ts";

type Tensors = Readonly<Record<string, HostTensor>>;

/** What an executable holds of the library. */
interface Handles {
  readonly api: OpenVinoApi;
  readonly compiled: Handle;
  /** One for each run that is computed at the same time. */
  readonly requests: readonly Handle[];
}

/** Frees what was never disposed of. */
const forgotten = new FinalizationRegistry<Handles>((handles) => free(handles));

/** Inputs that engines are reading: nothing else holds them while a run is waited for. */
const inUse = new Set<Tensors>();

function free({ api, requests, compiled }: Handles): void {
  for (const request of requests) api.freeRequest(request);
  api.freeCompiled(compiled);
}

/** What belongs to one compiled graph. */
export interface OpenVinoProgram {
  readonly api: OpenVinoApi;
  readonly compiled: Handle;
  /** Its outputs are those of the model, in their order. */
  readonly graph: Graph;
  /** In the order of the model. */
  readonly inputs: readonly GraphInput[];
  /** Inputs that are the same at each run: weights that the engine must not have as constants. */
  readonly fed: NamedTensors;
  /** Runs that are computed at the same time. */
  readonly streams: number;
  readonly onDispose: () => void;
}

/** A compiled graph with a request for each stream; further runs wait for one. Results come in the order of the calls. */
export class OpenVinoExecutable implements Executable {
  readonly #program: OpenVinoProgram;
  readonly #fed: Tensors;
  readonly #handles: Handles;
  readonly #idle: Handle[];
  readonly #waiting: ((request: Handle) => void)[] = [];
  #pending: Promise<void> = Promise.resolve();
  #disposed = false;

  /** @throws {RuntimeError} when the engine has no memory for it; the compiled graph is the caller's then. */
  constructor(program: OpenVinoProgram) {
    const { api, compiled } = program;
    const requests = createRequests(program);
    this.#program = program;
    this.#fed = Object.fromEntries(program.fed);
    this.#handles = { api, compiled, requests };
    this.#idle = [...requests];
    forgotten.register(this, this.#handles, this);
  }

  get streams(): number {
    return this.#program.streams;
  }

  async run(given: Tensors, outputs: Tensors = {}): Promise<Record<string, HostTensor>> {
    if (this.#disposed) throw disposed();
    const inputs = { ...given, ...this.#fed };
    const sizes = checkInputs("openvino", this.#program.inputs, inputs);
    checkOutputs("openvino", this.#program.graph.outputs, outputs, sizes);
    const run = this.#execute(inputs, this.#allOutputs(outputs, sizes), sizes);
    const earlier = this.#pending;
    // Of the results it must hold none: they would live as long as the executable.
    this.#pending = Promise.allSettled([earlier, run]).then(() => undefined);
    await earlier;
    return run;
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    forgotten.unregister(this);
    this.#program.onDispose();
    await this.#pending;
    free(this.#handles);
  }

  /** Those that are given, and new memory for the others. */
  #allOutputs(given: Tensors, sizes: AxisSizes): Record<string, HostTensor> {
    return Object.fromEntries(
      [...this.#program.graph.outputs].map(([name, { dtype, shape }]) => [
        name,
        given[name] ?? zeros(dtype, bindShape(`openvino: output "${name}"`, shape, sizes)),
      ]),
    );
  }

  async #execute(
    inputs: Tensors,
    outputs: Record<string, HostTensor>,
    sizes: AxisSizes,
  ): Promise<Record<string, HostTensor>> {
    const { api } = this.#handles;
    const { graph } = this.#program;
    const hint = (message: string) => runHint(message, graph, sizes);
    const request = this.#idle.pop() ?? (await new Promise<Handle>((resolve) => this.#waiting.push(resolve)));
    inUse.add(inputs);
    try {
      this.#program.inputs.forEach(({ name }, index) => {
        this.#bind(api.setInput, request, index, `input "${name}"`, inputs[name] as HostTensor);
      });
      [...graph.outputs.keys()].forEach((name, index) => {
        this.#bind(api.setOutput, request, index, `output "${name}"`, outputs[name] as HostTensor);
      });
      expectOk(api, api.start(request), "run", "the graph to run", hint);
      expectOk(api, await api.wait(request), "run", "the graph to run", hint);
      return outputs;
    } finally {
      inUse.delete(inputs);
      const next = this.#waiting.shift();
      if (next) next(request);
      else this.#idle.push(request);
    }
  }

  #bind(
    set: OpenVinoApi["setInput"],
    request: Handle,
    index: number,
    where: string,
    { dtype, shape, data }: HostTensor,
  ): void {
    const { api } = this.#handles;
    const tensor: Handle[] = [0n];
    const status = api.createTensor(elementType[dtype], { rank: shape.length, dims: shape }, memoryOf(data), tensor);
    expectOk(api, status, where, "memory that the engine can use");
    try {
      expectOk(api, set(request, index, tensor[0] as Handle), where, "a tensor that the engine accepts");
    } finally {
      api.freeTensor(tensor[0] as Handle);
    }
  }
}

/** @throws {RuntimeError} when there is no memory for all of them; none is left then. */
function createRequests({ api, compiled, graph, streams }: OpenVinoProgram): Handle[] {
  const requests: Handle[] = [];
  try {
    for (let i = 0; i < streams; i++) {
      const request: Handle[] = [0n];
      const status = api.createRequest(compiled, request);
      expectOk(api, status, "compile", "memory for the graph's inner results", () => memoryHint(graph));
      requests.push(request[0] as Handle);
    }
    return requests;
  } catch (error) {
    for (const request of requests) api.freeRequest(request);
    throw error;
  }
}

/** An empty array has no address, and the library takes none that is null. */
function memoryOf(data: HostTensor["data"]): HostTensor["data"] {
  return data.length === 0 ? NOTHING : data;
}

const NOTHING = new Float64Array(1);

function disposed(): RuntimeError {
  return new RuntimeError({ where: "openvino: run", expected: "an executable in use", got: verbatim("disposed") });
}

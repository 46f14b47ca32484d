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
  readonly request: Handle;
}

/** Frees what was never disposed of. */
const forgotten = new FinalizationRegistry<Handles>((handles) => free(handles));

/** Inputs that engines are reading: nothing else holds them while a run is waited for. */
const inUse = new Set<Tensors>();

function free({ api, request, compiled }: Handles): void {
  api.freeRequest(request);
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
  readonly onDispose: () => void;
}

/** A compiled graph with its one request; runs that are asked for meanwhile wait for each other. */
export class OpenVinoExecutable implements Executable {
  readonly #program: OpenVinoProgram;
  readonly #fed: Tensors;
  readonly #handles: Handles;
  #pending: Promise<unknown> = Promise.resolve();
  #disposed = false;

  /** @throws {RuntimeError} when the engine has no memory for it; the compiled graph is the caller's then. */
  constructor(program: OpenVinoProgram) {
    const { api, compiled } = program;
    const request: Handle[] = [0n];
    const status = api.createRequest(compiled, request);
    expectOk(api, status, "compile", "memory for the graph's inner results", () => memoryHint(program.graph));
    this.#program = program;
    this.#fed = Object.fromEntries(program.fed);
    this.#handles = { api, compiled, request: request[0] as Handle };
    forgotten.register(this, this.#handles, this);
  }

  async run(given: Tensors, outputs: Tensors = {}): Promise<Record<string, HostTensor>> {
    if (this.#disposed) throw disposed();
    const inputs = { ...given, ...this.#fed };
    const sizes = checkInputs("openvino", this.#program.inputs, inputs);
    checkOutputs("openvino", this.#program.graph.outputs, outputs, sizes);
    const run = this.#pending.then(() => this.#execute(inputs, this.#allOutputs(outputs, sizes), sizes));
    this.#pending = run.catch(() => {});
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
    const { api, request } = this.#handles;
    const { graph } = this.#program;
    const hint = (message: string) => runHint(message, graph, sizes);
    inUse.add(inputs);
    try {
      this.#program.inputs.forEach(({ name }, index) => {
        this.#bind(api.setInput, index, `input "${name}"`, inputs[name] as HostTensor);
      });
      [...graph.outputs.keys()].forEach((name, index) => {
        this.#bind(api.setOutput, index, `output "${name}"`, outputs[name] as HostTensor);
      });
      expectOk(api, api.start(request), "run", "the graph to run", hint);
      expectOk(api, await api.wait(request), "run", "the graph to run", hint);
      return outputs;
    } finally {
      inUse.delete(inputs);
    }
  }

  #bind(set: OpenVinoApi["setInput"], index: number, where: string, { dtype, shape, data }: HostTensor): void {
    const { api, request } = this.#handles;
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

/** An empty array has no address, and the library takes none that is null. */
function memoryOf(data: HostTensor["data"]): HostTensor["data"] {
  return data.length === 0 ? NOTHING : data;
}

const NOTHING = new Float64Array(1);

function disposed(): RuntimeError {
  return new RuntimeError({ where: "openvino: run", expected: "an executable in use", got: verbatim("disposed") });
}

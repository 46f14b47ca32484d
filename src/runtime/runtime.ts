/**
 * What an engine offers: it compiles a graph, and runs it over memory that the caller owns.
 *
 * ONNX Runtime implements it here; other engines and browsers implement the same interface.
 */
import type { Graph } from "../graph/graph.ts";
import type { HostTensor, NamedTensors } from "../util/tensor.ts";

/** How a graph is compiled. */
export interface CompileOptions {
  /** Weights that are built into the program, by parameter name; the others are fed at each run. */
  readonly weights?: NamedTensors;
  /**
   * False gives the memory of inner results back after each run: slower by up to a fifth where they are large. True, the
   * default, keeps it for the next run; programs share what they keep where `sharesMemory` says so. OpenVINO keeps it in
   * either case: its C API has no call that gives it back before the executable is disposed of.
   */
  readonly keepMemory?: boolean;
}

/** A compiled graph. */
export interface Executable {
  /**
   * Runs the graph once.
   * @param inputs - a tensor for each graph input that is no built-in weight; read in place, not copied.
   * @param outputs - memory for outputs, written in place; outputs left out are allocated.
   * @returns every output by name; of runs that go on at the same time in the order of the calls.
   * @throws {RuntimeError} when an input is missing, when a tensor has another dtype or shape, or when the engine fails.
   */
  run(
    inputs: Readonly<Record<string, HostTensor>>,
    outputs?: Readonly<Record<string, HostTensor>>,
  ): Promise<Record<string, HostTensor>>;
  /** Runs that it computes at the same time; others wait for their turn. 1 when left out. */
  readonly streams?: number;
  /** Frees the engine's memory; the executable cannot run again. */
  dispose(): Promise<void>;
}

/** An engine, with the facts that a resumed run must find again. */
export interface Runtime {
  /** `onnxruntime`, `openvino`. */
  readonly name: string;
  readonly version: string;
  /** The precision of matrix products: `f32`. */
  readonly precision: string;
  /** Threads of all runs together. */
  readonly threads: number;
  /** Runs that an executable computes at the same time, each on its share of the threads; 1 when left out. */
  readonly streams?: number;
  /**
   * Whether programs without built-in weights share the memory that they keep between runs, which is then what the largest of
   * them needs; false when left out.
   */
  readonly sharesMemory?: boolean;
  /**
   * Compiles a graph; the same graph without built-in weights is compiled once, until its executable is disposed of.
   * @throws {RuntimeError} when the engine refuses it, or when a weight has another dtype or shape than its parameter.
   */
  compile(graph: Graph, options?: CompileOptions): Promise<Executable>;
  /** Disposes of everything that was compiled. */
  dispose(): Promise<void>;
}

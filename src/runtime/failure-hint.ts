/** What to do when an engine does not take a graph, or fails while it runs one: told from its own words and the graph's plan. */
import { ShapeError } from "../errors.ts";
import { graphCost } from "../graph/cost.ts";
import type { Graph } from "../graph/graph.ts";
import type { AxisSizes } from "./checks.ts";

/** How the C++ library, ONNX Runtime, OpenVINO and oneDNN say that there is none left. */
const NO_MEMORY =
  /bad_alloc|bad_array_new_length|(out of|not enough|insufficient) memory|alloc\w* (memory|failed)|(failed|unable|cannot|could not|can't) (to )?allocate/i;

/** What OpenVINO says where it has no reader of ONNX. */
const READER_HINT =
  "the library's reader of ONNX (libopenvino_onnx_frontend) is missing or does not load: pip install --force-reinstall openvino, or take --runtime onnxruntime";

/**
 * The hint of a graph that was not compiled.
 * @param engine - its name. @param message - what it says.
 */
export function compileHint(engine: string, message: string, graph: Graph): string {
  if (NO_MEMORY.test(message)) return memoryHint(graph);
  if (/Unable to read the model/.test(message)) return READER_HINT;
  if (engine === "onnxruntime") return "an operator that it lacks? --runtime openvino may have it (zhbert doctor)";
  return `an operator that ${engine} lacks? --runtime onnxruntime has it; --runtime auto takes that by itself where ${engine} refuses`;
}

/** The hint of a run that failed. @param sizes - of the named axes in that run. */
export function runHint(message: string, graph: Graph, sizes: AxisSizes): string {
  const hint = memoryHint(graph, sizes);
  return NO_MEMORY.test(message) ? hint : `if it is ${hint}`;
}

/** What a graph takes by its plan of memory, and what to lower. */
export function memoryHint(graph: Graph, sizes: AxisSizes = {}): string {
  return (
    `out of memory: by its plan the graph takes ${plannedMemory(graph, sizes)}, and the engine some more. Lower the batch size ` +
    "or the sequence length, in training also with --recompute; zhbert plan shows what fits into this machine"
  );
}

function plannedMemory(graph: Graph, sizes: AxisSizes): string {
  const cost = costOf(graph, sizes);
  if (cost === undefined) {
    const weights = graph.inputs.filter(({ parameter }) => parameter);
    const { parameterBytes } = graphCost({ nodes: [], inputs: weights, outputs: new Map() });
    return `${inMegabytes(parameterBytes)} of weights, and inner results by batch and length`;
  }
  const { parameterBytes, inputBytes, outputBytes, peakActivationBytes } = cost;
  const total = parameterBytes + inputBytes + outputBytes + peakActivationBytes;
  return (
    `${inMegabytes(total)} (weights ${inMegabytes(parameterBytes)}, inner results ${inMegabytes(peakActivationBytes)}, ` +
    `inputs and outputs ${inMegabytes(inputBytes + outputBytes)})`
  );
}

/** Undefined where a named axis has no size yet. */
function costOf(graph: Graph, sizes: AxisSizes) {
  try {
    return graphCost(graph, sizes);
  } catch (error) {
    if (error instanceof ShapeError) return undefined;
    throw error;
  }
}

function inMegabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}

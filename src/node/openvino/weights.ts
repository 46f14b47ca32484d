/** Which weights OpenVINO may have as constants. */
import type { LoweredGraph, NamedNode } from "../../onnx/lower.ts";
import type { NamedTensors } from "../../util/tensor.ts";

/** Weights by how the engine gets them. */
export interface DividedWeights {
  /** Built into the compiled graph, packed for it. */
  readonly constants: NamedTensors;
  /** Fed at each run, read where they lie. */
  readonly fed: NamedTensors;
}

/**
 * Divides weights into constants and inputs. A square matrix that a graph multiplies by both as it is and transposed must not
 * be a constant: OpenVINO packs it once and takes that for both products, so that one of them is wrong (seen in 2025.4 to
 * 2026.4, on the CPU). Gradients of a graph with built-in weights do so: x times W forward, the gradient times its transpose back.
 */
export function divideWeights(graph: LoweredGraph, weights: NamedTensors): DividedWeights {
  const ways = new Map<string, Set<boolean>>();
  for (const node of graph.nodes) {
    node.inputs.forEach((name, index) => {
      const transposed = weights.has(name) ? isTransposed(node, index) : undefined;
      if (transposed !== undefined) ways.set(name, (ways.get(name) ?? new Set()).add(transposed));
    });
  }
  const isFed = (name: string) => {
    const [rows, columns] = weights.get(name)?.shape.slice(-2) ?? [];
    return rows === columns && ways.get(name)?.size === 2;
  };
  const all = [...weights];
  return {
    constants: new Map(all.filter(([name]) => !isFed(name))),
    fed: new Map(all.filter(([name]) => isFed(name))),
  };
}

/** Whether a node multiplies by an input transposed; undefined where it does not multiply matrices. */
function isTransposed({ opType, attributes = {} }: NamedNode, index: number): boolean | undefined {
  if (opType === "MatMul") return false;
  if (opType === "Transpose") return true;
  if (index > 1 || (opType !== "Gemm" && opType !== "FusedMatMul")) return undefined;
  const value = attributes[index === 0 ? "transA" : "transB"];
  return value !== undefined && "int" in value && value.int === 1;
}

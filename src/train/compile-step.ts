/** Binds a graph to an engine: the program with its dropout sites and its cost. */
import { graphCost } from "../graph/cost.ts";
import { type Graph, inputOp } from "../graph/graph.ts";
import { DROPOUT_PREFIX } from "../model/context.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { DropoutSite } from "./dropout-masks.ts";
import type { CompiledStep } from "./training-step.ts";

/** Compiles a graph of training or evaluation. @param isLargest - whether no other program needs more memory. */
export async function compileStep(runtime: Runtime, graph: Graph, isLargest: boolean): Promise<CompiledStep> {
  // What each of them kept for itself would add up to several times the largest.
  const keepMemory = isLargest || runtime.sharesMemory === true;
  const executable = await runtime.compile(graph, { keepMemory });
  return { executable, dropoutSites: dropoutSitesOf(graph), flops: graphCost(graph).flops };
}

/** The sites in the order of their names, each with the rate of its operators. */
function dropoutSitesOf({ nodes }: Graph): DropoutSite[] {
  const sites = new Map<string, DropoutSite>();
  for (const { operator, inputs, attributes } of nodes) {
    const mask = inputs[1];
    if (operator.name !== "dropout" || mask?.node.operator !== inputOp.definition) continue;
    const { name } = mask.node.attributes as { readonly name: string };
    if (!name.startsWith(DROPOUT_PREFIX)) continue;
    sites.set(name, { name, shape: mask.shape as readonly number[], rate: attributes.rate });
  }
  return [...sites.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

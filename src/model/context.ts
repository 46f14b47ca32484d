/** What every part of a model takes besides its inputs: where parameters come from, and what dropout does. */
import type { Dim } from "../graph/dims.ts";
import { input, parameter, type Tensor } from "../graph/graph.ts";
import { dropout } from "../graph/ops/dropout.ts";

/** Makes the parameters of a model, each name once, and its dropout sites. */
export interface ModelContext {
  /** The parameter of a name; the same tensor at each call. */
  parameter(name: string, shape: readonly number[]): Tensor;
  /**
   * Dropout at a site of the model.
   * @param site - the name of the mask's input is `dropout.<site>`.
   */
  dropout(site: string, x: Tensor, rate: number): Tensor;
}

/** The name of the graph input that holds a site's keep-mask begins so. */
export const DROPOUT_PREFIX = "dropout.";

/**
 * A context for building one graph.
 * @param options.training - whether dropout sites get masks (uint8 inputs); without, dropout does nothing.
 */
export function modelContext({ training = false }: { readonly training?: boolean } = {}): ModelContext {
  const parameters = new Map<string, Tensor>();
  const masks = new Map<string, Tensor>();
  const once = (known: Map<string, Tensor>, name: string, make: () => Tensor): Tensor => {
    const tensor = known.get(name) ?? make();
    known.set(name, tensor);
    return tensor;
  };
  const maskOf = (site: string, shape: readonly Dim[]) =>
    once(masks, site, () => input(`${DROPOUT_PREFIX}${site}`, "uint8", shape));
  return {
    parameter: (name, shape) => once(parameters, name, () => parameter(name, shape)),
    dropout: (site, x, rate) => (training && rate > 0 ? dropout(x, maskOf(site, x.shape), rate) : x),
  };
}

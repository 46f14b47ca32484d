/** Learning rates by parameter: layer-wise decay, the lower one lies the smaller its steps; and factors by name. */

/**
 * The factor on a parameter's learning rate: 1 for the heads, `decay` for the pooler, and one `decay` more for each layer
 * down; the embeddings lie under the first layer. The MLM head's output matrix is the token embedding and counts as that.
 * @param decay - in (0, 1]; 1 leaves all rates equal. @param numLayers - of the encoder.
 * Source: _get_layer_lrs of google-research/electra, which has no pooler.
 */
export function layerRateFactor(name: string, decay: number, numLayers: number): number {
  if (decay === 1) return 1;
  const layer = /^bert\.encoder\.layer\.(\d+)\./.exec(name)?.[1];
  if (layer !== undefined) return decay ** (numLayers + 1 - Number(layer));
  if (name.startsWith("bert.embeddings.")) return decay ** (numLayers + 2);
  return name.startsWith("bert.pooler.") ? decay : 1;
}

/** The factor of the first beginning that a parameter's name has; 1 where it has none of them. */
export function namedRateFactor(name: string, factors: Readonly<Record<string, number>>): number {
  return Object.entries(factors).find(([prefix]) => name.startsWith(prefix))?.[1] ?? 1;
}

/** Which parameters a training run changes. */

/** `all`, or the masked language model's head alone, over an encoder and embeddings that stay as they are. */
export const TRAINABLE_PARTS = ["all", "mlm-head"] as const;
/** Which parameters a training run changes. */
export type TrainablePart = (typeof TRAINABLE_PARTS)[number];

/** What stays as it is while the rest is trained. */
export interface Frozen {
  /** The first layers of the encoder, that many. */
  readonly layers: number;
  /** The embeddings, among them the token embedding that is the MLM head's output matrix too. */
  readonly embeddings: boolean;
}

/** A part that is trained, or what is left out of all. */
export type Trainable = TrainablePart | Frozen;

/** How the names of the MLM head's parameters begin. */
export const MLM_HEAD = "cls.predictions.";

/** Whether a parameter is trained; the head's output matrix is the token embedding, and belongs to that. */
export function isTrainable(part: Trainable, name: string): boolean {
  if (part === "all") return true;
  if (part === "mlm-head") return name.startsWith(MLM_HEAD);
  if (name.startsWith("bert.embeddings.")) return !part.embeddings;
  const layer = /^bert\.encoder\.layer\.(\d+)\./.exec(name)?.[1];
  return layer === undefined || Number(layer) >= part.layers;
}

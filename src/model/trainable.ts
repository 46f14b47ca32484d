/** Which parameters a training run changes. */

/** `all`, or the masked language model's head alone, over an encoder and embeddings that stay as they are. */
export const TRAINABLE_PARTS = ["all", "mlm-head"] as const;
/** Which parameters a training run changes. */
export type TrainablePart = (typeof TRAINABLE_PARTS)[number];

/** How the names of the MLM head's parameters begin. */
export const MLM_HEAD = "cls.predictions.";

/** Whether a parameter belongs to a part; the head's output matrix is the token embedding, and belongs to that. */
export function isTrainable(part: TrainablePart, name: string): boolean {
  return part === "all" || name.startsWith(MLM_HEAD);
}

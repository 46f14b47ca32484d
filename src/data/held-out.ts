/** Keeps a share of documents, or of instances, apart for evaluation: decided by hash, whatever the order of the data. */
import { crc32c } from "../util/crc32.ts";
import { Random } from "../util/random.ts";
import type { Document } from "./corpus.ts";

/**
 * Whether a document belongs to the held-out share. Equal documents go the same way, so that no text is on both sides.
 * @param share - of documents, in [0, 1]. @param seed - another seed chooses other documents.
 */
export function isHeldOut(document: Document, share: number, seed: number): boolean {
  if (share <= 0) return false;
  const hash = crc32c(new TextEncoder().encode(document.join("\n")));
  return Random.derive(seed, hash).uniform() < share;
}

/**
 * Parts the indexes 0 to count - 1 at random. Instances of one document can fall on both sides; where that matters
 * (it does with dupe factors over 1), hold documents out instead.
 * @param share - of instances, in [0, 1].
 * @returns uint32, ascending: the indexes of each side.
 */
export function splitIndexes(count: number, share: number, seed: number): { train: Uint32Array; heldOut: Uint32Array } {
  const train: number[] = [];
  const heldOut: number[] = [];
  for (let i = 0; i < count; i++) (Random.derive(seed, i).uniform() < share ? heldOut : train).push(i);
  return { train: Uint32Array.from(train), heldOut: Uint32Array.from(heldOut) };
}

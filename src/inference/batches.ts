/** Texts in the order they come, computed in the order of their length: chunks of a stream, and batches within a chunk. */
import type { HostTensor } from "../util/tensor.ts";
import { hostTensor } from "../util/tensor.ts";
import type { TokenRow } from "./token-rows.ts";

/** What a batch takes of a row. */
type RowTokens = Pick<TokenRow, "ids" | "typeIds">;

/** How far a chunk of a stream grows: until one limit is reached. */
export interface ChunkLimits<T> {
  readonly maxItems: number;
  readonly maxSize: number;
  /** What an item adds to the chunk's size. */
  size(item: T): number;
}

/** Consecutive items in chunks of bounded size; only one chunk is held at a time. */
export async function* inChunks<T>(
  items: Iterable<T> | AsyncIterable<T>,
  { maxItems, maxSize, size }: ChunkLimits<T>,
): AsyncGenerator<readonly T[]> {
  let chunk: T[] = [];
  let total = 0;
  for await (const item of items) {
    chunk.push(item);
    total += size(item);
    if (chunk.length < maxItems && total < maxSize) continue;
    yield chunk;
    chunk = [];
    total = 0;
  }
  if (chunk.length > 0) yield chunk;
}

/**
 * Rows in batches of like length, the longest first: the engine allocates the most memory at once, and keeps it.
 * @param lengths - tokens of each row.
 * @param batchTokens - the most tokens of a batch, padding included; a longer row is a batch by itself.
 * @returns the places of each batch's rows.
 */
export function batchesByLength(lengths: readonly number[], batchTokens: number): number[][] {
  const order = [...lengths.keys()].sort((a, b) => (lengths[b] as number) - (lengths[a] as number) || a - b);
  const batches: number[][] = [];
  for (let start = 0; start < order.length; ) {
    const longest = lengths[order[start] as number] as number;
    const end = start + Math.max(1, Math.floor(batchTokens / longest));
    batches.push(order.slice(start, end));
    start = end;
  }
  return batches;
}

/** The inputs of a batch of rows, padded on the right. */
export interface TokenBatch<Row extends RowTokens = TokenRow> {
  readonly rows: readonly Row[];
  /** Tokens of each row with its padding. */
  readonly seqLength: number;
  /** `input_ids`, `token_type_ids`, `attention_mask`: int32 [batch, seq]. */
  readonly inputs: Readonly<Record<string, HostTensor>>;
}

/**
 * Lays rows under one another. Padding is hidden from every token, so that id 0 does for any vocabulary.
 * @param seqLength - no row may be longer; the length of the longest one when left out.
 */
export function tokenBatch<Row extends RowTokens>(
  rows: readonly Row[],
  seqLength = rows.reduce((longest, { ids }) => Math.max(longest, ids.length), 0),
): TokenBatch<Row> {
  const shape = [rows.length, seqLength];
  const size = rows.length * seqLength;
  const [ids, typeIds, mask] = [new Int32Array(size), new Int32Array(size), new Int32Array(size)];
  rows.forEach((row, i) => {
    const start = i * seqLength;
    ids.set(row.ids, start);
    typeIds.set(row.typeIds, start);
    mask.fill(1, start, start + row.ids.length);
  });
  const tensor = (data: Int32Array) => hostTensor("int32", shape, data);
  const inputs = { input_ids: tensor(ids), token_type_ids: tensor(typeIds), attention_mask: tensor(mask) };
  return { rows, seqLength, inputs };
}

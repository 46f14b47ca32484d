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

/** Consecutive items in chunks of bounded size, where a chunk can be begun while the one before is worked on. */
export class ChunkReader<T> {
  readonly #items: AsyncGenerator<T>;
  readonly #limits: ChunkLimits<T>;
  #chunk: T[] = [];
  #size = 0;
  #isEnded = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(items: AsyncGenerator<T>, limits: ChunkLimits<T>) {
    this.#items = items;
    this.#limits = limits;
  }

  /** The next chunk; empty at the end. @throws what reading it threw. */
  async next(): Promise<readonly T[]> {
    await this.readAhead(this.#limits.maxItems);
    if (this.#failure) throw this.#failure.error;
    const chunk = this.#chunk;
    this.#chunk = [];
    this.#size = 0;
    return chunk;
  }

  /** Takes up to `count` items for the next chunk, as far as its limits allow; what fails is thrown with that chunk. */
  async readAhead(count: number): Promise<void> {
    const { maxItems, maxSize, size } = this.#limits;
    for (let i = 0; i < count && this.#chunk.length < maxItems && this.#size < maxSize; i++) {
      if (this.#isEnded || this.#failure) return;
      try {
        const { value, done } = await this.#items.next();
        this.#isEnded = done === true;
        if (done === true) return;
        this.#chunk.push(value);
        this.#size += size(value);
      } catch (error) {
        this.#failure = { error };
      }
    }
  }

  /** Says to the source that no more is wanted. */
  async close(): Promise<void> {
    await this.#items.return(undefined);
  }
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

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

/** Consecutive items in chunks of bounded size, where a chunk is begun while the one before is worked on. */
export class ChunkReader<T> {
  readonly #items: AsyncGenerator<T>;
  readonly #limits: ChunkLimits<T>;
  #chunk: T[] = [];
  #size = 0;
  /** Items that may still be taken for the chunk. */
  #wanted = 0;
  #isReading = false;
  #reading: Promise<void> = Promise.resolve();
  #isEnded = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(items: AsyncGenerator<T>, limits: ChunkLimits<T>) {
    this.#items = items;
    this.#limits = limits;
  }

  /** The next chunk; empty at the end. @throws what reading it threw. */
  async next(): Promise<readonly T[]> {
    this.readAhead(this.#limits.maxItems);
    await this.#reading;
    if (this.#failure) throw this.#failure.error;
    const chunk = this.#chunk;
    this.#chunk = [];
    this.#size = 0;
    this.#wanted = 0;
    return chunk;
  }

  /**
   * Lets up to `count` more items be taken for the next chunk, as far as its limits allow. Nobody waits for them: what is
   * slow, or fails, is `next`'s to tell.
   */
  readAhead(count: number): void {
    this.#wanted += count;
    if (!this.#isReading) this.#reading = this.#read();
  }

  /** Says to the source that no more is wanted; waits for it, unless it is being waited for itself. */
  async close(): Promise<void> {
    const closed = this.#items.return(undefined);
    if (!this.#isReading) await closed;
    else closed.catch(() => undefined);
  }

  async #read(): Promise<void> {
    const { maxItems, maxSize, size } = this.#limits;
    const isOpen = () => !this.#isEnded && !this.#failure && this.#chunk.length < maxItems && this.#size < maxSize;
    this.#isReading = true;
    while (this.#wanted > 0 && isOpen()) {
      this.#wanted -= 1;
      try {
        const { value, done } = await this.#items.next();
        this.#isEnded = done === true;
        if (done === true) break;
        this.#chunk.push(value);
        this.#size += size(value);
      } catch (error) {
        this.#failure = { error };
      }
    }
    this.#isReading = false;
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

/**
 * The way of every function over many texts: encode a chunk, run its rows sorted by length, give the results in order. While
 * the engine computes, texts of the next chunk are encoded (decisions/0014-encoding-beside-the-engine.md).
 */
import { ArgumentError } from "../errors.ts";
import { batchesByLength, ChunkReader } from "./batches.ts";
import type { RowOptions } from "./token-rows.ts";

/** How a stream of texts is worked through. */
export interface StreamOptions extends Partial<RowOptions> {
  /** The most tokens of one run of the model, padding included; 1024. */
  readonly batchTokens?: number;
  /** Aborts between batches, with its reason. */
  readonly signal?: AbortSignal;
  /** Called after each batch with the number of texts that are done. */
  readonly onProgress?: (texts: number) => void;
}

/** Up to about so many, activations stay in the processor's caches; with 8192 tokens a run takes 1.7 times as long. */
export const DEFAULT_BATCH_TOKENS = 1024;
/** Texts that are sorted by length together: among so many there are enough of each length to fill a batch. */
const CHUNK_TEXTS = 4096;
/** Bytes of results that a chunk may hold at most. */
const CHUNK_BYTES = 1 << 26;

/** What a text (or another thing that the model reads) is encoded to: some rows of batches. */
export interface EncodedRows<Row> {
  readonly rows: readonly Row[];
}

/** What is done with each text. */
export interface StreamWork<T, R, Row, Encoded extends EncodedRows<Row>> {
  encode(text: T, index: number): Encoded;
  /** Tokens of a row; rows of like length run together. */
  tokens(row: Row): number;
  /** Bytes of the result of a text, or of each of its tokens. */
  readonly bytes: { readonly perText: number; readonly perToken: number };
  /** The result of a text before any of its rows has run. */
  start(text: T, encoded: Encoded): R;
  /** Batches that are computed at the same time; 1 when left out. */
  readonly streams?: number;
  /** Runs the model once over some rows, and adds what comes out to the results of their texts. */
  run(rows: readonly Row[], results: readonly R[]): Promise<void>;
}

interface Item<T, Encoded> {
  readonly text: T;
  readonly encoded: Encoded;
}

/**
 * The results of texts in their order. Memory is bounded by two chunks (some thousand texts each), whatever the
 * stream's length.
 * @throws {ArgumentError} when an option or a text does not fit; what the signal says.
 */
export async function* streamTexts<T, R, Row, Encoded extends EncodedRows<Row>>(
  texts: Iterable<T> | AsyncIterable<T>,
  work: StreamWork<T, R, Row, Encoded>,
  { batchTokens = DEFAULT_BATCH_TOKENS, signal, onProgress }: StreamOptions,
): AsyncGenerator<R> {
  expectList(texts);
  if (!Number.isInteger(batchTokens) || batchTokens < 1) {
    throw new ArgumentError({ where: "tokens of a batch", expected: "a positive whole number", got: batchTokens });
  }
  const { perText, perToken } = work.bytes;
  const limits = {
    maxItems: CHUNK_TEXTS,
    maxSize: CHUNK_BYTES,
    size: ({ encoded }: Item<T, Encoded>) =>
      encoded.rows.reduce((sum, row) => sum + (perToken + BYTES_OF_TOKEN) * work.tokens(row), perText),
  };
  let done = 0;
  const chunks = new ChunkReader(encodeAll(texts, work, signal), limits);
  try {
    for (let chunk = await chunks.next(); chunk.length > 0; chunk = await chunks.next()) {
      const results = chunk.map(({ text, encoded }) => work.start(text, encoded));
      const rows = chunk.flatMap(({ encoded }, text) => encoded.rows.map((row) => ({ row, text })));
      const left = chunk.map(({ encoded }) => encoded.rows.length);
      const lengths = rows.map(({ row }) => work.tokens(row));
      await eachOf(batchesByLength(lengths, batchTokens), work.streams ?? 1, async (places) => {
        signal?.throwIfAborted();
        // As many as are computed, so that the next chunk is there when this one is done.
        chunks.readAhead(places.length);
        const taken = places.map((place) => rows[place] as (typeof rows)[number]);
        await work.run(
          taken.map(({ row }) => row),
          taken.map(({ text }) => results[text] as R),
        );
        for (const { text } of taken) {
          left[text] = (left[text] as number) - 1;
          if (left[text] === 0) done += 1;
        }
        onProgress?.(done);
      });
      yield* results;
    }
  } finally {
    await chunks.close();
  }
}

/** Does something with each item, in their order, some at a time. @throws what fails first, when no other goes on. */
async function eachOf<T>(items: readonly T[], atOnce: number, task: (item: T) => Promise<void>): Promise<void> {
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const worker = async () => {
    while (next < items.length && !failure) {
      try {
        await task(items[next++] as T);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (failure) throw failure.error;
}

/**
 * A single text would be taken for a list of its characters, without a word from the types where a stream is asked for.
 * @throws {ArgumentError} for a text by itself.
 */
export function expectList(texts: unknown): void {
  if (typeof texts !== "string") return;
  throw new ArgumentError({ where: "texts", expected: "a list of texts", got: texts, hint: "write [text]" });
}

/** Ids, types, roles and offsets of a token in a row. */
const BYTES_OF_TOKEN = 25;

async function* encodeAll<T, Row, Encoded extends EncodedRows<Row>>(
  texts: Iterable<T> | AsyncIterable<T>,
  work: StreamWork<T, unknown, Row, Encoded>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Item<T, Encoded>> {
  let index = 0;
  for await (const text of texts) {
    signal?.throwIfAborted();
    yield { text, encoded: work.encode(text, index++) };
  }
}

/**
 * A block of documents as flat arrays of tokens, with the places where words, sentences and documents begin.
 *
 * Sentences of a document lie side by side, so that a segment of an example is a range of the block, not a copy.
 */
import type { Segmenter } from "../text/segmenter.ts";
import type { Document } from "./corpus.ts";
import type { Pieces, PieceTokenizer } from "./word-alignment.ts";

/** Tokens of a number of documents. */
export interface TokenBlock {
  /** int32 [tokens]. */
  readonly ids: Int32Array;
  /** uint8 [tokens]; 1 where a word begins. */
  readonly wordStarts: Uint8Array;
  /** int32 [sentences + 1]; the token at which each sentence begins, and the end. */
  readonly sentenceStarts: Int32Array;
  /** int32 [documents + 1]; the sentence at which each document begins, and the end. */
  readonly documentStarts: Int32Array;
  /** The id that stands between documents where they are joined; no example ends with it. */
  readonly separatorId?: number;
}

/** What was read into blocks so far. */
export interface TextCounts {
  documents: number;
  sentences: number;
  tokens: number;
  words: number;
  /** Tokens that are [UNK]. */
  unknownTokens: number;
  /** Sentences whose words could not be laid over the text; they are masked by character. */
  unalignedSentences: number;
}

/** How a block is built. */
export interface TokenBlockOptions {
  readonly tokenizer: PieceTokenizer;
  readonly segmenter: Segmenter;
  /** Which tokens begin a word, as uint8 [pieces]. */
  readonly markWords: (text: string, pieces: Pieces, wordEnds: Int32Array) => Uint8Array;
  /** Longer sentences are cut at the beginning of a word; never unless said. */
  readonly maxSentenceTokens?: number;
}

/** Text handed to segmenter and tokenizer in one call, in UTF-16 units: long enough that the cost of a call vanishes. */
const BATCH_LENGTH = 1 << 14;

/** Collects documents into a block; `take` gives the block and starts the next. */
export class TokenBlockBuilder {
  readonly counts: TextCounts = {
    documents: 0,
    sentences: 0,
    tokens: 0,
    words: 0,
    unknownTokens: 0,
    unalignedSentences: 0,
  };
  readonly #options: TokenBlockOptions;
  #lines: string[] = [];
  /** For each waiting line the number of its document. */
  #lineDocuments: number[] = [];
  #waitingLength = 0;
  #documentsAdded = 0;
  #openDocument = -1;
  #ids = new GrowingArray(Int32Array);
  #wordStarts = new GrowingArray(Uint8Array);
  #sentenceStarts = new GrowingArray(Int32Array);
  #documentStarts = new GrowingArray(Int32Array);

  constructor(options: TokenBlockOptions) {
    this.#options = options;
  }

  /** Tokens in the block so far; text that still waits for its batch is not counted. */
  get tokens(): number {
    return this.#ids.length;
  }

  /** Adds a document; sentences without tokens are dropped, and documents without sentences. */
  add(document: Document): void {
    this.#documentsAdded += 1;
    for (const sentence of document) {
      // One line is one sentence to the segmenter; a line break is white space to the tokenizer.
      this.#lines.push(sentence.includes("\n") ? sentence.replaceAll("\n", " ") : sentence);
      this.#lineDocuments.push(this.#documentsAdded);
      this.#waitingLength += sentence.length + 1;
      if (this.#waitingLength >= BATCH_LENGTH) this.#encodeWaiting();
    }
  }

  /** The block of all documents added since the last call. */
  take(): TokenBlock {
    this.#encodeWaiting();
    this.#sentenceStarts.push(this.#ids.length);
    this.#documentStarts.push(this.#sentenceStarts.length - 1);
    const block = {
      ids: this.#ids.take(),
      wordStarts: this.#wordStarts.take(),
      sentenceStarts: this.#sentenceStarts.take(),
      documentStarts: this.#documentStarts.take(),
    };
    this.#openDocument = -1;
    return block;
  }

  #encodeWaiting(): void {
    if (this.#lines.length === 0) return;
    const { tokenizer, segmenter, markWords } = this.#options;
    const { text, wordEnds, unalignedLines } = segmenter.segment(this.#lines.join("\n"));
    const pieces = tokenizer.encodePieces(text);
    const wordStarts = markWords(text, pieces, wordEnds);
    this.counts.unalignedSentences += unalignedLines;
    let from = 0;
    let lineEnd = -1;
    for (const document of this.#lineDocuments) {
      lineEnd = text.indexOf("\n", lineEnd + 1);
      let to = from;
      while (to < pieces.ids.length && (lineEnd === -1 || (pieces.starts[to] as number) < lineEnd)) to += 1;
      if (to > from) this.#addSentence(document, pieces.ids.subarray(from, to), wordStarts.subarray(from, to));
      from = to;
      if (lineEnd === -1) break;
    }
    this.#lines = [];
    this.#lineDocuments = [];
    this.#waitingLength = 0;
  }

  #addSentence(document: number, ids: Int32Array, wordStarts: Uint8Array): void {
    if (document !== this.#openDocument) {
      this.#documentStarts.push(this.#sentenceStarts.length);
      this.#openDocument = document;
      this.counts.documents += 1;
    }
    this.#count(ids, wordStarts);
    const limit = this.#options.maxSentenceTokens ?? ids.length;
    for (let from = 0; from < ids.length; ) {
      const to = cutAtWord(wordStarts, from, limit);
      this.#sentenceStarts.push(this.#ids.length);
      this.#ids.append(ids.subarray(from, to));
      this.#wordStarts.append(wordStarts.subarray(from, to));
      // A word longer than the limit is cut inside; the rest begins anew.
      this.#wordStarts.set(this.#wordStarts.length - (to - from), 1);
      from = to;
    }
  }

  #count(ids: Int32Array, wordStarts: Uint8Array): void {
    const unk = this.#options.tokenizer.vocabulary.ids.unk;
    this.counts.sentences += 1;
    this.counts.tokens += ids.length;
    for (let i = 0; i < ids.length; i++) {
      this.counts.words += wordStarts[i] as number;
      if (ids[i] === unk) this.counts.unknownTokens += 1;
    }
  }
}

/** The end of a part that begins at `from`: at most `limit` tokens, before a word where there is one. */
function cutAtWord(wordStarts: Uint8Array, from: number, limit: number): number {
  if (wordStarts.length - from <= limit) return wordStarts.length;
  let to = from + limit;
  while (to > from && wordStarts[to] === 0) to -= 1;
  return to > from ? to : from + limit;
}

type Numbers = Int32Array | Uint8Array;

/** A typed array that doubles when it is full. */
class GrowingArray<T extends Numbers> {
  readonly #ArrayType: new (
    length: number,
  ) => T;
  #data: T;
  #length = 0;

  constructor(ArrayType: new (length: number) => T) {
    this.#ArrayType = ArrayType;
    this.#data = new ArrayType(1 << 10);
  }

  get length(): number {
    return this.#length;
  }

  push(value: number): void {
    this.#reserve(1);
    this.#data[this.#length++] = value;
  }

  append(values: Numbers): void {
    this.#reserve(values.length);
    this.#data.set(values, this.#length);
    this.#length += values.length;
  }

  set(index: number, value: number): void {
    this.#data[index] = value;
  }

  /** The values; the array is empty afterwards. */
  take(): T {
    const values = this.#data.subarray(0, this.#length) as T;
    this.#data = new this.#ArrayType(1 << 10);
    this.#length = 0;
    return values;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#data.length) return;
    const larger = new this.#ArrayType(Math.max(2 * this.#data.length, this.#length + count));
    larger.set(this.#data.subarray(0, this.#length));
    this.#data = larger;
  }
}

/**
 * New tokens for a model that is trained already: rows for them in the embeddings and in the MLM head's bias, begun with
 * the mean of the pieces that the token was read as before.
 */
import type { LazyTensor, LazyTensors } from "../checkpoint/format.ts";
import { ArgumentError, ConfigError, verbatim } from "../errors.ts";
import type { AddedToken } from "../text/added-tokens.ts";
import { BertTokenizer } from "../text/tokenizer.ts";
import { CONTINUATION_PREFIX, Vocabulary } from "../text/vocabulary.ts";
import { toFloat32, toHalf } from "../util/half.ts";
import { elementCount, formatType, type HostTensor, hostTensor, tensorBytes, tensorFromBytes } from "../util/tensor.ts";

/** A token that a vocabulary gets. */
export interface NewToken {
  readonly token: string;
  readonly id: number;
  /** The pieces whose mean it begins with; none where the mean of the whole table is taken. */
  readonly pieces: readonly string[];
  /** Whether it is found in raw text as it is written, since WordPiece could not find it (北京, C++). */
  readonly isRaw: boolean;
}

/** A vocabulary with more tokens. */
export interface ExtendedVocabulary {
  readonly tokenizer: BertTokenizer;
  readonly added: readonly NewToken[];
  /** Tokens that were there already. */
  readonly present: readonly string[];
}

/** Places that BERT's vocabularies keep free. */
const UNUSED = /^\[unused\d+\]$/;
/** Kept as they are written: [USER] is no word. */
const BRACKETED = /^\[[^\s[\]]+\]$/;

/**
 * Adds tokens to a tokenizer's vocabulary; the ids of those that are there stay as they are.
 * @param tokens - `##` begins one that continues a word; lower-cased where the tokenizer lower-cases.
 * @param options.useUnused - whether the places [unused1] and so on are taken before the vocabulary grows; false.
 * @throws {ArgumentError} when there is no token, or one holds white space.
 */
export function extendVocabulary(
  tokenizer: BertTokenizer,
  tokens: Iterable<string>,
  { useUnused = false }: { readonly useUnused?: boolean } = {},
): ExtendedVocabulary {
  const { vocabulary, options } = tokenizer;
  const folded = [...tokens].map((token) =>
    options.lowercase && !BRACKETED.test(token) ? token.toLowerCase() : token,
  );
  const wanted = [...new Set(folded)];
  for (const token of wanted) expectToken(token);
  const fresh = wanted.filter((token) => vocabulary.id(token) === undefined);
  const entries = [...vocabulary.tokens];
  const free = useUnused ? [...entries.keys()].filter((id) => UNUSED.test(entries[id] as string)) : [];
  const ids = fresh.map((token, i) => {
    const id = free[i] ?? entries.length;
    entries[id] = token;
    return id;
  });
  const extended = Vocabulary.fromTokens(entries);
  const grown = new BertTokenizer(extended, options);
  const isRaw = (token: string) => !token.startsWith(CONTINUATION_PREFIX) && grown.tokenize(token).join(" ") !== token;
  const added = fresh.map((token, i): NewToken => {
    return { token, id: ids[i] as number, pieces: piecesOf(tokenizer, token), isRaw: isRaw(token) };
  });
  const raw = added.filter((token) => token.isRaw).map(({ token, id }) => rawToken(token, id));
  return {
    tokenizer: raw.length > 0 ? withTokens(extended, tokenizer, raw) : grown,
    added,
    present: wanted.filter((token) => vocabulary.id(token) !== undefined),
  };
}

function withTokens(vocabulary: Vocabulary, { options }: BertTokenizer, raw: readonly AddedToken[]): BertTokenizer {
  return new BertTokenizer(vocabulary, { ...options, addedTokens: [...options.addedTokens, ...raw] });
}

function rawToken(content: string, id: number): AddedToken {
  return { content, id, special: false, lstrip: false, rstrip: false, singleWord: false };
}

function expectToken(token: string): void {
  const content = token.startsWith(CONTINUATION_PREFIX) ? token.slice(CONTINUATION_PREFIX.length) : token;
  if (content !== "" && !/\s/.test(token)) return;
  throw new ArgumentError({
    where: "new token",
    expected: "a token without white space",
    got: token,
    hint: "write one token a line; each word of a phrase is a token of its own",
  });
}

/**
 * The pieces that a token was read as; of a character that the vocabulary lacks those of the plain form: “ as ", … as
 * three dots, — as -.
 */
function piecesOf(tokenizer: BertTokenizer, token: string): string[] {
  const { vocabulary, options } = tokenizer;
  const isContinuation = token.startsWith(CONTINUATION_PREFIX);
  const content = isContinuation ? token.slice(CONTINUATION_PREFIX.length) : token;
  const mapping = new BertTokenizer(vocabulary, { ...options, curlyQuotes: "map" });
  const known = (text: string) => mapping.tokenize(text).filter((piece) => vocabulary.id(piece) !== vocabulary.ids.unk);
  const pieces = known(content);
  const plain = pieces.length > 0 ? pieces : known(content.normalize("NFKC").replace(/\p{Pd}/gu, "-"));
  if (!isContinuation) return plain;
  // Within a word the first piece is a continuation, too, where there is one.
  return plain.map((piece, i) => {
    const inside = `${CONTINUATION_PREFIX}${piece}`;
    return i === 0 && vocabulary.id(inside) !== undefined ? inside : piece;
  });
}

/** The tensors with a row for each token. */
const BY_TOKEN = [
  "bert.embeddings.word_embeddings.weight",
  "cls.predictions.bias",
  "cls.predictions.decoder.weight",
  "cls.predictions.decoder.bias",
];

/**
 * Tensors with rows for new tokens; every other element stays as it is, bit for bit, in its dtype.
 * @param tensors - under Hugging Face's names.
 * @param before - the vocabulary that the tensors are for. @param added - as `extendVocabulary` gave them.
 * @throws {ConfigError} when a tensor has fewer rows than `before` has tokens.
 */
export function extendWeights(tensors: LazyTensors, before: Vocabulary, added: readonly NewToken[]): LazyTensors {
  const needed = Math.max(before.size, ...added.map(({ id }) => id + 1));
  const sources = added.map(({ id, pieces }) => ({ id, from: pieces.map((piece) => before.id(piece) as number) }));
  return new Map(
    [...tensors].map(([name, tensor]) => [
      name,
      BY_TOKEN.includes(name) ? extended(name, tensor, before, needed, sources) : tensor,
    ]),
  );
}

/** A row and those that it is the mean of. */
interface RowSource {
  readonly id: number;
  readonly from: readonly number[];
}

function extended(
  name: string,
  tensor: LazyTensor,
  before: Vocabulary,
  needed: number,
  sources: readonly RowSource[],
): LazyTensor {
  const [rows = 0, ...rest] = tensor.shape;
  if (rows < before.size) {
    throw new ConfigError({
      where: name,
      expected: `${before.size} rows or more, one for each token`,
      got: verbatim(formatType(tensor.dtype, tensor.shape)),
      hint: "weights and vocabulary are of different models; take both from the same folder",
    });
  }
  // Some models have rows beyond the vocabulary's end: new tokens take those first.
  const size = Math.max(rows, needed);
  const shape = [size, ...rest];
  const width = elementCount(rest);
  const all = [...before.tokens.keys()].filter((id) => !/^\[.+\]$/.test(before.token(id)));
  return {
    dtype: tensor.dtype,
    shape,
    read: () => {
      const old = tensor.read();
      const bytes = new Uint8Array((tensorBytes(old).length / rows) * size);
      bytes.set(tensorBytes(old));
      const values = toFloat32(old).data;
      for (const { id, from } of sources) {
        const row = meanRow(values, from.length > 0 ? from : all, width);
        bytes.set(tensorBytes(inDType(row, tensor)), id * ((bytes.length / size) | 0));
      }
      return tensorFromBytes(tensor.dtype, shape, bytes);
    },
  };
}

/** float32 [width]; the mean of rows, summed in double precision. */
function meanRow(values: Float32Array, rows: readonly number[], width: number): HostTensor<"float32"> {
  const sum = new Float64Array(width);
  for (const row of rows) {
    for (let i = 0; i < width; i++) sum[i] = (sum[i] as number) + (values[row * width + i] as number);
  }
  return hostTensor(
    "float32",
    [width],
    Float32Array.from(sum, (value) => value / rows.length),
  );
}

function inDType(row: HostTensor<"float32">, { dtype }: LazyTensor): HostTensor {
  if (dtype === "float16" || dtype === "bfloat16") return toHalf(row, dtype).tensor;
  return dtype === "float64" ? hostTensor("float64", row.shape, Float64Array.from(row.data)) : row;
}

/** Filling [MASK]: which vocabulary entries a model holds likely at each masked position. */
import { ArgumentError, verbatim } from "../errors.ts";
import type { Executable } from "../runtime/runtime.ts";
import type { Encoding } from "../text/encoding.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import { hostTensor } from "../util/tensor.ts";

/** One entry for a masked position. */
export interface FillMaskCandidate {
  /** The vocabulary entry: `气`, `##ing`. */
  readonly token: string;
  /** The entry's id. */
  readonly id: number;
  /** The whole text with this mask filled; further masks stay. */
  readonly text: string;
  /** The entry's probability at this position, in 0 .. 1. */
  readonly score: number;
}

/** A text and, for each of its masks in order, the best entries by rank. */
export interface FillMaskResult {
  readonly text: string;
  readonly masks: readonly (readonly FillMaskCandidate[])[];
}

/** A text as it enters the model, and where its masks are. */
interface MaskedText {
  readonly text: string;
  readonly encoding: Encoding;
  /** Token positions of the masks. */
  readonly positions: readonly number[];
}

/**
 * Encodes a text that holds at least one [MASK].
 * @throws {ArgumentError} when there is no [MASK], or the text is longer than the model's positions.
 */
export function encodeMasked(tokenizer: BertTokenizer, text: string, maxPositions: number): MaskedText {
  const encoding = tokenizer.encode(text);
  const { mask } = tokenizer.vocabulary.ids;
  const positions = Array.from(encoding.ids.keys()).filter((i) => encoding.ids[i] === mask);
  if (positions.length === 0) {
    throw new ArgumentError({
      where: "fill-mask",
      expected: "a text with at least one [MASK]",
      got: text,
      hint: "write [MASK] once for each character to fill in: 今天天[MASK]很好。",
    });
  }
  if (encoding.ids.length > maxPositions) {
    throw new ArgumentError({
      where: "fill-mask",
      expected: `at most ${maxPositions} tokens with [CLS] and [SEP], as the model has positions`,
      got: verbatim(`${encoding.ids.length}`),
      hint: "shorten the text around the [MASK]",
    });
  }
  return { text, encoding, positions };
}

/**
 * Fills the masks of several texts in one run of the model.
 * @param executable - of `maskedLmGraph`.
 * @param topK - entries for each mask.
 */
export async function fillMaskedTexts(
  executable: Executable,
  tokenizer: BertTokenizer,
  texts: readonly MaskedText[],
  topK: number,
): Promise<FillMaskResult[]> {
  const seqLength = Math.max(...texts.map(({ encoding }) => encoding.ids.length));
  const probabilities = await maskProbabilities(executable, texts, seqLength);
  const { size } = tokenizer.vocabulary;
  let row = 0;
  return texts.map((masked) => ({
    text: masked.text,
    masks: masked.positions.map((position) => {
      const scores = probabilities.subarray(row * size, (row + 1) * size);
      row += 1;
      return topIds(scores, topK).map((id) => candidate(tokenizer, masked, position, id, scores[id] as number));
    }),
  }));
}

/** float32 [masks, vocabSize], flat; masks of all texts in order. */
async function maskProbabilities(executable: Executable, texts: readonly MaskedText[], seqLength: number) {
  const shape = [texts.length, seqLength];
  const [inputIds, tokenTypeIds, attentionMask] = [0, 1, 2].map(() => new Int32Array(texts.length * seqLength));
  texts.forEach(({ encoding }, row) => {
    inputIds?.set(encoding.ids, row * seqLength);
    tokenTypeIds?.set(encoding.typeIds, row * seqLength);
    attentionMask?.set(encoding.attentionMask, row * seqLength);
  });
  const positions = texts.flatMap(({ positions: own }, row) => own.map((position) => row * seqLength + position));
  const { probabilities } = await executable.run({
    input_ids: hostTensor("int32", shape, inputIds as Int32Array),
    token_type_ids: hostTensor("int32", shape, tokenTypeIds as Int32Array),
    attention_mask: hostTensor("int32", shape, attentionMask as Int32Array),
    positions: hostTensor("int32", [positions.length], Int32Array.from(positions)),
  });
  return probabilities?.data as Float32Array;
}

/** The ids of the `count` largest scores, the largest first; of equal ones the smaller id first. */
function topIds(scores: Float32Array, count: number): number[] {
  const best: number[] = [];
  for (let id = 0; id < scores.length; id++) {
    const score = scores[id] as number;
    if (best.length === count && score <= (scores[best.at(-1) as number] as number)) continue;
    let at = best.length;
    while (at > 0 && (scores[best[at - 1] as number] as number) < score) at -= 1;
    best.splice(at, 0, id);
    if (best.length > count) best.pop();
  }
  return best;
}

function candidate(
  tokenizer: BertTokenizer,
  { text, encoding }: MaskedText,
  position: number,
  id: number,
  score: number,
): FillMaskCandidate {
  const token = tokenizer.vocabulary.token(id);
  const [start, end] = [encoding.offsets[2 * position] as number, encoding.offsets[2 * position + 1] as number];
  const before = text.slice(0, start);
  const filled = token.startsWith("##") ? `${before.trimEnd()}${token.slice(2)}` : `${before}${token}`;
  return { token, id, text: `${filled}${text.slice(end)}`, score };
}

/** Filling [MASK]: vocabulary entries for each masked position, fillings of all of them together, or whole words. */
import { ArgumentError } from "../errors.ts";
import { fillJointly, topIds } from "./fill-jointly.ts";
import type {
  FillMaskCandidate,
  FillMaskOptions,
  FillMaskResult,
  FillWordsOptions,
  WordCandidate,
} from "./fill-mask-options.ts";
import { type FillMaskModel, type FillSettings, fillWithWords } from "./fill-mask-words.ts";
import { encodeMasked, fillText, type MaskedText, pairSlots } from "./masked-text.ts";
import { expectList } from "./text-stream.ts";

const DEFAULT_TOP_K = 5;
const DEFAULT_BEAM_SIZE = 10;

/**
 * Fills the masks of texts.
 * @param model.scorer - of the model's masked language model.
 * @throws {ArgumentError} when a text has no [MASK] or is too long, an option is out of range, a candidate has pieces that
 *   the vocabulary lacks, or no word fits a slot.
 * Source: Devlin et al. 2018, section 3.1.
 */
export async function fillMasks(
  model: FillMaskModel,
  texts: readonly string[],
  options: FillMaskOptions | FillWordsOptions,
): Promise<FillMaskResult<FillMaskCandidate | WordCandidate>[]> {
  expectList(texts);
  const { topK = DEFAULT_TOP_K, joint = false } = options;
  expectWhole("topK", topK);
  const { beamSize } = options;
  if (beamSize !== undefined) expectWhole("beamSize", beamSize);
  const masked = texts.map((text) => encodeMasked(model.tokenizer, text, model.maxPositions));
  const settings = { topK, joint, beamSize: beamSize ?? Math.max(DEFAULT_BEAM_SIZE, topK) };
  return "lexicon" in options || "candidates" in options
    ? fillWithWords(model, masked, options, settings)
    : fillTokens(model, masked, settings);
}

function expectWhole(name: string, value: number): void {
  if (Number.isInteger(value) && value >= 1) return;
  throw new ArgumentError({ where: `fill-mask: ${name}`, expected: "a positive integer", got: value });
}

async function fillTokens(
  { scorer, tokenizer }: FillMaskModel,
  texts: readonly MaskedText[],
  { topK, beamSize, joint }: FillSettings,
): Promise<FillMaskResult[]> {
  const ranked: FillMaskCandidate[][][] = texts.map(() => []);
  const rows = texts.map(({ ids, masks }) => ({ ids, positions: masks.map(({ position }) => position) }));
  await scorer.score(rows, (row, probabilities) => {
    const { text, masks } = texts[row] as MaskedText;
    ranked[row] = masks.map((slot, i) => {
      const scores = probabilities.subarray(i * scorer.vocabSize, (i + 1) * scorer.vocabSize);
      return topIds(scores, topK).map((id) => {
        const token = tokenizer.vocabulary.token(id);
        return { token, id, text: fillText(text, [[slot, token]]), score: scores[id] as number };
      });
    });
  });
  const fillings = joint ? await fillJointly(scorer, texts, beamSize, topK) : [];
  return texts.map(({ text, masks }, i) => ({
    text,
    masks: ranked[i] as FillMaskCandidate[][],
    ...(joint
      ? {
          joint: (fillings[i] ?? []).map(({ chosen, log }) => {
            const tokens = tokenizer.vocabulary.tokensOf(chosen);
            return { tokens, text: fillText(text, pairSlots(masks, tokens)), score: Math.exp(log) };
          }),
        }
      : {}),
  }));
}

/** Whole words in the place of [MASK]: which words fit which slot, and the slots' rankings. */
import { ArgumentError, verbatim } from "../errors.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import type { FillMaskOptions, FillMaskResult, FillWordsOptions, WordCandidate } from "./fill-mask-options.ts";
import { fillSlots, type SlotSearch, type WordHypothesis } from "./fill-words.ts";
import type { MaskScorer } from "./mask-scorer.ts";
import { expectRoom, fillText, type MaskedText, type MaskSlot, pairSlots, wordSlots } from "./masked-text.ts";
import { WordLexicon, type WordTable } from "./word-lexicon.ts";

/** What filling needs of a model. */
export interface FillMaskModel {
  readonly scorer: MaskScorer;
  readonly tokenizer: BertTokenizer;
  readonly maxPositions: number;
  /** Lexicons that were prepared before, by their arrays. */
  readonly lexicons: WeakMap<readonly string[], WordLexicon>;
}

/** The options of filling, complete and checked. */
export type FillSettings = Required<FillMaskOptions>;

const DEFAULT_WORD_LENGTHS = [1, 2, 3, 4] as const;
/**
 * Words are spread wider than characters: on masked pairs of characters of a small model 10 beginnings found the best
 * word in 88 % of the texts, 50 in all of them, at less than twice the time.
 */
const WORD_BEAM_SIZE = 50;

/**
 * Fills word slots from a lexicon or with candidates.
 * @throws {ArgumentError} when a candidate has pieces that the vocabulary lacks, or no word fits a slot.
 */
export async function fillWithWords(
  model: FillMaskModel,
  texts: readonly MaskedText[],
  options: FillWordsOptions,
  settings: FillSettings,
): Promise<FillMaskResult<WordCandidate>[]> {
  const { topK, beamSize, joint } = settings;
  const { beamSize: given } = options;
  const { scorer, maxPositions } = model;
  const tablesOf = tableChooser(model, options);
  const searches = texts.map((masked): SlotSearch => {
    const slots = wordSlots(masked);
    const tables = slots.map(tablesOf);
    const growth = (slot: MaskSlot, i: number) =>
      Math.max(...(tables[i] ?? []).map(({ length }) => length)) - slot.length;
    const growths = slots.map(growth);
    const added = joint ? growths.reduce((a, b) => a + b, 0) : Math.max(...growths);
    expectRoom(masked.ids.length + added, maxPositions);
    return { ids: masked.ids, slots, tables };
  });
  const { mask } = model.tokenizer.vocabulary.ids;
  const every = "candidates" in options ? Number.POSITIVE_INFINITY : undefined;
  const beams = (prefixBeamSize: number) => ({ beamSize, prefixBeamSize: every ?? prefixBeamSize, count: topK });
  const alone = searches.flatMap((search, text) =>
    search.slots.map((slot, i) => ({ text, slot, search: single(search, i) })),
  );
  const ranked = await fillSlots(
    scorer,
    alone.map(({ search }) => search),
    mask,
    beams(given ?? Math.max(WORD_BEAM_SIZE, topK)),
  );
  const together = joint ? await fillSlots(scorer, searches, mask, beams(beamSize)) : [];
  const masks: WordCandidate[][][] = texts.map(() => []);
  alone.forEach(({ text, slot }, i) => {
    const source = texts[text] as MaskedText;
    masks[text]?.push((ranked[i] as WordHypothesis[]).map((found) => wordCandidate(source.text, slot, found)));
  });
  return texts.map(({ text }, i) => ({
    text,
    masks: masks[i] as WordCandidate[][],
    ...(joint
      ? {
          joint: (together[i] ?? []).map(({ words, log }) => {
            const tokens = words.map(({ word }) => word);
            const slots = searches[i]?.slots ?? [];
            return { tokens, text: fillText(text, pairSlots(slots, tokens)), score: Math.exp(log) };
          }),
        }
      : {}),
  }));
}

/** The search for one slot, in which the others stay masked. */
function single({ ids, slots, tables }: SlotSearch, i: number): SlotSearch {
  return { ids, slots: [slots[i] as MaskSlot], tables: [tables[i] ?? []] };
}

function wordCandidate(text: string, slot: MaskSlot, { words, log }: WordHypothesis): WordCandidate {
  const { word, pieces } = words[0] as WordHypothesis["words"][number];
  return { token: word, ids: pieces, text: fillText(text, [[slot, word]]), score: Math.exp(log) };
}

/** The words that fit a slot. */
function tableChooser(model: FillMaskModel, options: FillWordsOptions): (slot: MaskSlot) => WordTable[] {
  return "candidates" in options
    ? candidateTables(prepared(model, options.candidates))
    : lexiconTables(prepared(model, options.lexicon), options.wordLengths ?? DEFAULT_WORD_LENGTHS);
}

function prepared({ tokenizer, lexicons }: FillMaskModel, words: readonly string[]): WordLexicon {
  const lexicon = lexicons.get(words) ?? new WordLexicon(words, tokenizer);
  lexicons.set(words, lexicon);
  return lexicon;
}

function lexiconTables(lexicon: WordLexicon, wordLengths: readonly number[]): (slot: MaskSlot) => WordTable[] {
  for (const length of wordLengths) {
    if (Number.isInteger(length) && length >= 1) continue;
    throw new ArgumentError({ where: "fill-mask: wordLengths", expected: "positive integers", got: length });
  }
  return ({ length }) => {
    const lengths = length > 1 ? [length] : [...new Set(wordLengths)];
    const tables = lengths.flatMap((each) => lexicon.table(each) ?? []);
    if (tables.length > 0) return tables;
    throw noWord("lexicon", lengths, lexicon);
  };
}

/** Every candidate must fit: what is asked for is a comparison of all of them. */
function candidateTables(lexicon: WordLexicon): (slot: MaskSlot) => WordTable[] {
  if (lexicon.unknown.length > 0) {
    throw new ArgumentError({
      where: "fill-mask: candidates",
      expected: "words whose pieces the vocabulary has",
      got: verbatim(`${lexicon.unknown.map((word) => JSON.stringify(word)).join(", ")}, which have others`),
      hint: "leave these out, or add their characters to the model's vocabulary with zhbert vocab-add",
    });
  }
  return ({ length }) => {
    const { lengths } = lexicon;
    if (lengths.length === 0 || (length > 1 && lengths.join() !== `${length}`)) {
      throw noWord("candidates", [length], lexicon);
    }
    return lengths.map((each) => lexicon.table(each) as WordTable);
  };
}

function noWord(where: string, lengths: readonly number[], { lengths: there }: WordLexicon): ArgumentError {
  return new ArgumentError({
    where: `fill-mask: ${where}`,
    expected: `words of ${lengths.join(", ")} tokens, as the slot has masks`,
    got: verbatim(there.length > 0 ? `words of ${there.join(", ")} tokens` : "no words"),
    hint: "a single [MASK] takes words of other lengths too",
  });
}

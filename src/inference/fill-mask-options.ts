/** What filling [MASK] takes and gives. */

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

/** One word for a slot. */
export interface WordCandidate {
  /** The word: `北京`, `playing`. */
  readonly token: string;
  /** The ids of its pieces. */
  readonly ids: readonly number[];
  /** The whole text with this slot filled; further masks stay. */
  readonly text: string;
  /** The geometric mean of its pieces' probabilities, each given the pieces before it; in 0 .. 1. */
  readonly score: number;
}

/** All masks, or all word slots, filled together. */
export interface JointCandidate {
  /** What fills each mask or slot, in order. */
  readonly tokens: readonly string[];
  /** The whole text, filled. */
  readonly text: string;
  /**
   * Of masks: the product of the probabilities, each given the fillings before it. Of words: the geometric mean over
   * their pieces, since words may have different numbers of them.
   */
  readonly score: number;
}

/** A text and, for each of its masks (with words: slots) in order, the best entries by rank. */
export interface FillMaskResult<C = FillMaskCandidate> {
  readonly text: string;
  readonly masks: readonly (readonly C[])[];
  /** With `joint`: the best fillings of all of them together, by rank. */
  readonly joint?: readonly JointCandidate[];
}

/** How masks are filled. */
export interface FillMaskOptions {
  /** Entries for each mask, and joint fillings; 5. */
  readonly topK?: number;
  /** Also rank fillings of all masks together, each filled mask being read by the next; false. */
  readonly joint?: boolean;
  /**
   * Fillings that the search follows; 10, or topK where that is more. Of beginnings of words 50, shared by the numbers of
   * tokens that the word may have (10 while slots are filled together).
   */
  readonly beamSize?: number;
}

/** Word slots filled from a lexicon: masks that touch are one slot. */
export interface FillFromLexicon extends FillMaskOptions {
  /**
   * Words to choose from. A slot of several masks takes those of so many tokens (a Chinese character is one), a single
   * mask those of any of `wordLengths`. Words with tokens that the vocabulary lacks are left out. The same array is
   * prepared once.
   */
  readonly lexicon: readonly string[];
  /** The numbers of tokens that a word in place of a single mask may have; 1, 2, 3 and 4. */
  readonly wordLengths?: readonly number[];
}

/** Word slots filled with given words alone, each scored exactly: masks that touch are one slot. */
export interface FillFromCandidates extends FillMaskOptions {
  /** A slot of several masks takes words of so many tokens (a Chinese character is one), a single mask all of them. */
  readonly candidates: readonly string[];
}

/** How word slots are filled. */
export type FillWordsOptions = FillFromLexicon | FillFromCandidates;

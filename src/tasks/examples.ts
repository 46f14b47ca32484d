/** What people label: the examples of each kind of task, as data sets have them, before any tokenising. */

/** A text, or two, with one label of a closed list. */
export interface TextExample {
  readonly id?: string;
  readonly text: string;
  /** The second text of a pair. */
  readonly textPair?: string;
  readonly label?: string;
}

/** A text, or two, with any number of labels. */
export interface MultiLabelExample {
  readonly id?: string;
  readonly text: string;
  readonly textPair?: string;
  readonly labels?: readonly string[];
}

/** A text, or two, with a number. */
export interface ScoredExample {
  readonly id?: string;
  readonly text: string;
  readonly textPair?: string;
  readonly score?: number;
}

/** UTF-16 offsets in a text: the first unit, and the one after the last. */
export type Span = readonly [start: number, end: number];

/** A text whose characters (or words) carry a tag each. */
export interface TaggedExample {
  readonly id?: string;
  readonly text: string;
  /** What carries the tags, in order and without overlap: characters, or words of the data. */
  readonly units: readonly Span[];
  /** One for each unit, as the data spells them: `B-PER`, `O`. */
  readonly tags?: readonly string[];
}

/** An answer of a reading comprehension data set. */
export interface Answer {
  readonly text: string;
  /** UTF-16 offset in the context as the data says; undefined where it says none. */
  readonly start?: number;
}

/** A question about a passage. */
export interface QuestionExample {
  readonly id: string;
  readonly context: string;
  readonly question: string;
  /** All that annotators gave; an empty list is a question without an answer in the passage. */
  readonly answers?: readonly Answer[];
  /** The answer to a question of yes and no, where the data set has such (CJRC). */
  readonly yesNo?: "yes" | "no";
}

/** A question with some answers to choose from. */
export interface ChoiceExample {
  readonly id?: string;
  readonly context: string;
  readonly question: string;
  readonly choices: readonly string[];
  /** The right choice, counted from 0. */
  readonly label?: number;
}

/** Texts whose vectors are to be near each other or apart. */
export interface SimilarityExample {
  readonly id?: string;
  readonly text: string;
  /** A text that means the same, or the other one of a scored pair. */
  readonly textPair?: string;
  /** A text that means something else though it looks alike. */
  readonly negative?: string;
  /** How alike the pair is. */
  readonly score?: number;
}

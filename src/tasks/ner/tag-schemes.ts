/**
 * How tags say where entities begin and end: the schemes that data sets use, tags to spans and back, and which tag may
 * follow which. Spans count units (characters or words), with the end after the last one.
 */

/** Every scheme by name. */
export const TAG_SCHEMES = ["IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU", "BMES", "words", "plain"] as const;
/**
 * IOB2 is what people call BIO, IOBES is BIOES, BMES is it with M for I. IO has no mark for a beginning. In IOB1 (IOE1)
 * B (E) stands only between neighbours of one type. `words` are BMES without types, over everything: word segmentation.
 * `plain` tags stand alone: parts of speech.
 */
export type TagScheme = (typeof TAG_SCHEMES)[number];

/** Where the letter of a tag stands: `B-PER` or `PER-B`. */
export type TagAffix = "prefix" | "suffix";

/** A run of units with a type. */
export interface TagSpan {
  readonly type: string;
  readonly start: number;
  /** After the last unit. */
  readonly end: number;
}

/** What a tag without a type is said to be of, as seqeval has it. */
const NO_TYPE = "_";

interface Tag {
  readonly letter: string;
  readonly type: string;
}

const OUTSIDE: Tag = { letter: "O", type: NO_TYPE };

function parseTag(tag: string, affix: TagAffix): Tag {
  if (affix === "prefix") return { letter: tag.charAt(0), type: tag.slice(1).replace(/^-/, "") || NO_TYPE };
  return { letter: tag.slice(-1), type: tag.slice(0, -1).replace(/-$/, "") || NO_TYPE };
}

/**
 * The entities of tags as the conlleval script finds them, whatever the scheme: a sequence that no scheme allows is
 * repaired, an I after O begins an entity. seqeval's default mode; what the literature reports.
 *
 * Source: seqeval 1.2.2 (get_entities), for each sentence by itself. It does not know L and U: BILOU is to be converted
 * first.
 */
export function lenientSpans(tags: readonly string[], affix: TagAffix = "prefix"): TagSpan[] {
  const spans: TagSpan[] = [];
  let previous: Tag = { letter: "O", type: "" };
  let start = 0;
  for (let i = 0; i <= tags.length; i++) {
    const tag = i < tags.length ? parseTag(tags[i] as string, affix) : OUTSIDE;
    const changes = tag.type !== previous.type;
    const pair = previous.letter + tag.letter;
    if (LENIENT_ENDS.test(pair) || (changes && isInside(previous))) spans.push({ type: previous.type, start, end: i });
    if (LENIENT_STARTS.test(pair) || (changes && isInside(tag))) start = i;
    previous = tag;
  }
  return spans;
}

/** Letters before and after the end of an entity, or at its start, whatever their types. */
const LENIENT_ENDS = /^(?:[ES].|[BI][BSO])$/u;
const LENIENT_STARTS = /^(?:.[BS]|[ESO][EI])$/u;

function isInside({ letter }: Tag): boolean {
  return letter !== "O" && letter !== ".";
}

type SameType = "same" | "other" | "any";
/** Letters of a tag, letters of the one after it, and how their types compare. */
type Rule = readonly [before: string, after: string, types: SameType];

interface SchemeRules {
  readonly letters: string;
  readonly starts: readonly Rule[];
  readonly inside: readonly Rule[];
  readonly ends: readonly Rule[];
}

const ALL = "IOBESLUM";

function bracketed(inside: string, last: string, single: string): SchemeRules {
  return {
    letters: `B${inside}${last}${single}O`,
    starts: [[ALL, `B${single}`, "any"]],
    inside: [[`B${inside}`, inside + last, "same"]],
    ends: [[last + single, ALL, "any"]],
  };
}

/** Source: seqeval 1.2.2 (scheme.py), its patterns with those joined that differ in one letter. */
const RULES: Readonly<Record<Exclude<TagScheme, "plain" | "words">, SchemeRules>> = {
  IOB1: {
    letters: "IOB",
    starts: [
      ["OB", "I", "any"],
      ["I", "I", "other"],
      ["IB", "B", "same"],
    ],
    inside: [["BI", "I", "same"]],
    ends: [
      ["IB", "I", "other"],
      ["IB", "O", "any"],
      ["I", "B", "any"],
      ["B", "B", "same"],
    ],
  },
  IOB2: {
    letters: "IOB",
    starts: [[ALL, "B", "any"]],
    inside: [["BI", "I", "same"]],
    ends: [
      ["IB", "OB", "any"],
      ["IB", "I", "other"],
    ],
  },
  IOE1: {
    letters: "IOE",
    starts: [
      ["OE", "I", "any"],
      ["I", "I", "other"],
      ["E", "E", "same"],
    ],
    inside: [["I", "IE", "same"]],
    ends: [
      ["I", "IE", "other"],
      ["I", "O", "any"],
      ["E", "IE", "same"],
    ],
  },
  IOE2: {
    letters: "IOE",
    starts: [
      ["OE", "IE", "any"],
      ["I", "IE", "other"],
    ],
    inside: [["I", "IE", "same"]],
    ends: [["E", ALL, "any"]],
  },
  IOBES: bracketed("I", "E", "S"),
  BILOU: bracketed("I", "L", "U"),
  BMES: bracketed("M", "E", "S"),
};

/**
 * The entities that stand in tags as the scheme asks for; what breaks its rules is no entity. seqeval's strict mode.
 * A letter that the scheme does not have stands for O here, where seqeval stops with an error.
 *
 * Source: seqeval 1.2.2 (scheme.py, Tokens.entities).
 */
export function strictSpans(tags: readonly string[], scheme: TagScheme, affix: TagAffix = "prefix"): TagSpan[] {
  if (scheme === "plain") return plainSpans(tags);
  if (scheme === "words") return wordSpans(tags);
  const { letters, starts, inside, ends } = RULES[scheme];
  const known = tags.map((tag) => parseTag(tag, affix)).map((tag) => (letters.includes(tag.letter) ? tag : OUTSIDE));
  const at = (i: number) => known[i] ?? OUTSIDE;
  const spans: TagSpan[] = [];
  for (let i = 0; i <= known.length; ) {
    if (!matches(starts, at(i - 1), at(i))) {
      i += 1;
      continue;
    }
    let end = i + 1;
    while (end < known.length && matches(inside, at(end - 1), at(end))) end += 1;
    if (matches(ends, at(end - 1), at(end))) spans.push({ type: at(i).type, start: i, end });
    i = end;
  }
  return spans;
}

function matches(rules: readonly Rule[], before: Tag, after: Tag): boolean {
  const same: SameType = before.type === after.type ? "same" : "other";
  return rules.some(
    ([left, right, types]) =>
      left.includes(before.letter) && right.includes(after.letter) && (types === "any" || types === same),
  );
}

function plainSpans(tags: readonly string[]): TagSpan[] {
  return tags.map((type, start) => ({ type, start, end: start + 1 }));
}

/** The words of segmentation tags, which cover everything: a word begins at B and S, and after E and S. */
function wordSpans(tags: readonly string[]): TagSpan[] {
  const starts = tags.flatMap((tag, i) =>
    i === 0 || "BS".includes(tag) || "ES".includes(tags[i - 1] as string) ? [i] : [],
  );
  return starts.map((start, i) => ({ type: NO_TYPE, start, end: starts[i + 1] ?? tags.length }));
}

/** The entities of tags of a scheme: repaired as the literature does it. */
export function spansOf(tags: readonly string[], scheme: TagScheme): TagSpan[] {
  if (scheme === "plain" || scheme === "words") return strictSpans(tags, scheme);
  return lenientSpans(convertLetters(tags, scheme));
}

/** L and M and U by the letters of IOBES, which repairing knows. */
function convertLetters(tags: readonly string[], scheme: TagScheme): readonly string[] {
  const letters = { BILOU: { L: "E", U: "S" }, BMES: { M: "I" } } as Readonly<Record<string, Record<string, string>>>;
  const map = letters[scheme];
  if (map === undefined) return tags;
  return tags.map((tag) => (map[tag.charAt(0)] ?? tag.charAt(0)) + tag.slice(1));
}

/** First, inner and last letter of a span, and of one with a single unit. */
const WRITTEN: Readonly<Record<"IOB2" | "IOBES" | "BILOU" | "BMES" | "words", string>> = {
  IOB2: "BIIB",
  IOBES: "BIES",
  BILOU: "BILU",
  BMES: "BMES",
  words: "BMES",
};

/** A scheme that tags are written in and models learn. */
export type WrittenScheme = keyof typeof WRITTEN;

/**
 * The tags of spans over so many units; later spans win where two overlap.
 * @param spans - in 0 .. length.
 */
export function tagsOf(spans: readonly TagSpan[], length: number, scheme: WrittenScheme): string[] {
  const tags = new Array<string>(length).fill("O");
  const [first, inner, last, single] = [...WRITTEN[scheme]];
  for (const { type, start, end } of spans) {
    const suffix = type === NO_TYPE ? "" : `-${type}`;
    for (let i = start; i < end; i++) {
      const letter = end - start === 1 ? single : i === start ? first : i === end - 1 ? last : inner;
      tags[i] = `${letter}${suffix}`;
    }
  }
  return tags;
}

/** Spans of a text that share no unit, in its order, and those that were left out. */
export interface SpansApart {
  readonly kept: readonly TagSpan[];
  /** Each with the span that it overlaps. */
  readonly dropped: readonly (readonly [span: TagSpan, kept: TagSpan])[];
}

/** Of spans that overlap the longest, of equal ones the first: a unit has one tag. */
export function withoutOverlap(spans: readonly TagSpan[]): SpansApart {
  const owners = new Map<number, TagSpan>();
  const kept: TagSpan[] = [];
  const dropped: [TagSpan, TagSpan][] = [];
  for (const span of [...spans].sort((a, b) => b.end - b.start - (a.end - a.start) || a.start - b.start)) {
    // What was kept is as long or longer: where it overlaps, it has one of the ends.
    const owner = owners.get(span.start) ?? owners.get(span.end - 1);
    if (owner !== undefined) {
      dropped.push([span, owner]);
      continue;
    }
    kept.push(span);
    for (let unit = span.start; unit < span.end; unit++) owners.set(unit, span);
  }
  return { kept: kept.sort((a, b) => a.start - b.start), dropped };
}

/** Tags of one scheme as tags of another; sequences that break the rules are repaired. Words come out as BMES. */
export function convertTags(tags: readonly string[], from: TagScheme, to: WrittenScheme): readonly string[] {
  return from === to && from !== "words" ? tags : tagsOf(spansOf(tags, from), tags.length, to);
}

/** O, or a letter with a type. Single letters do too where there is one kind of entity only. */
const TYPED = /^(?:O|[BIESLUM](?:-.+)?)$/u;

/**
 * The scheme that the tags of a data set follow, by the letters and by what stands beside what.
 * @param sentences - the more the surer: IOB1 differs from IOB2 only where an entity begins.
 */
export function detectScheme(sentences: Iterable<readonly string[]>): TagScheme {
  const tags = new Set<string>();
  let [bare, needless, open] = [0, 0, 0];
  for (const sentence of sentences) {
    sentence.forEach((tag, i) => {
      tags.add(tag);
      const isOf = (other: string | undefined) => other !== "O" && other?.slice(1) === tag.slice(1);
      const isFirst = !isOf(sentence[i - 1]);
      if (/^I(?:-|$)/u.test(tag) && isFirst) bare += 1;
      if (/^B(?:-|$)/u.test(tag) && isFirst) needless += 1;
      if (/^I(?:-|$)/u.test(tag) && !isOf(sentence[i + 1])) open += 1;
    });
  }
  if (tags.size > 0 && [...tags].every((tag) => /^[BMIES]$/u.test(tag))) return "words";
  if (tags.size === 0 || ![...tags].every((tag) => TYPED.test(tag))) return "plain";
  const has = (letters: string) => [...tags].some((tag) => tag !== "O" && letters.includes(tag.charAt(0)));
  if (has("LU")) return "BILOU";
  if (has("M")) return "BMES";
  if (has("S") || (has("E") && has("B"))) return "IOBES";
  // In IOE2 every entity has its E; in IOE1 one that stands by itself ends in I.
  if (has("E")) return open > 0 ? "IOE1" : "IOE2";
  // In IOB1 no B stands where an I would do.
  return has("I") && needless === 0 && bare > 0 ? "IOB1" : "IOB2";
}

/**
 * Whether a tag may follow another; undefined is what lies before the first and after the last.
 * In IOB1, IO and plain tags everything may follow everything.
 */
export function mayFollow(scheme: TagScheme, before: string | undefined, after: string | undefined): boolean {
  if (scheme === "plain" || scheme === "IOB1" || scheme === "IOE1" || scheme === "IOE2") return true;
  const [left, right] = [before, after].map((tag) => (tag === undefined ? OUTSIDE : parseTag(tag, "prefix")));
  if (left === undefined || right === undefined) return true;
  const isOpen = "BIM".includes(left.letter);
  const continues = "IMEL".includes(right.letter);
  // B and I end anywhere in IOB2; elsewhere what is open must be closed.
  if (!continues) return scheme === "IOB2" || !isOpen;
  return isOpen && left.type === right.type;
}

/** From tags of units to entities, by the strategies that Transformers names. */
import type { BertTokenizer } from "../../text/tokenizer.ts";
import type { FoundEntity, Tagging } from "./ner-decode.ts";
import { lenientSpans } from "./tag-schemes.ts";

/**
 * How tags become entities. `none`: each unit whose tag is not O. `simple`: whole entities, as the model's tags say.
 * `first`, `average`, `max`: every word (a Chinese character, a run of letters) has one tag, that of its first unit, the one of
 * the highest mean score, or that of the surest unit; then whole entities.
 */
export const AGGREGATION_STRATEGIES = ["none", "simple", "first", "average", "max"] as const;
/** How tags become entities. */
export type AggregationStrategy = (typeof AGGREGATION_STRATEGIES)[number];

const OUTSIDE = "O";

interface TaggedWord {
  readonly start: number;
  readonly end: number;
  readonly tag: string;
  readonly score: number;
}

/**
 * The entities of a text by a strategy.
 * @param scheme - of the model's tags; words and parts of speech are whole already.
 * Source: TokenClassificationPipeline of Transformers (aggregate).
 */
export function aggregateEntities(
  text: string,
  tagging: Tagging,
  strategy: AggregationStrategy,
  { tokenizer, scheme }: { readonly tokenizer: BertTokenizer; readonly scheme: string },
): FoundEntity[] {
  if (strategy === "none") {
    return unitsOf(tagging).flatMap(({ tag, ...place }) => (tag === OUTSIDE ? [] : [found(text, tag, place)]));
  }
  if (strategy === "simple" || scheme === "words" || scheme === "plain") return [...tagging.entities];
  const words = wordsOf(text, tagging, tokenizer).map((units) => taggedWord(units, strategy));
  return lenientSpans(words.map(({ tag }) => usualLetters(tag))).map(({ type, start, end }) => {
    const own = words.slice(start, end);
    const score = own.reduce((sum, word) => sum + word.score, 0) / own.length;
    return found(text, type, { start: own[0]?.start ?? 0, end: own.at(-1)?.end ?? 0, score });
  });
}

/** BILOU and BMES in the letters of IOBES. */
function usualLetters(tag: string): string {
  return tag.replace(/^[LUM](?=-|$)/, (letter) => ({ L: "E", U: "S" })[letter] ?? "I");
}

function found(text: string, entity: string, { start, end, score }: Omit<TaggedWord, "tag">): FoundEntity {
  return { entity, text: text.slice(start, end), start, end, score };
}

function unitsOf({ units, tags, scores }: Tagging): TaggedWord[] {
  return units.map(([start, end], i) => ({ start, end, tag: tags[i] ?? OUTSIDE, score: scores[i] ?? 0 }));
}

/** The units of each word; what the tokeniser drops, such as spaces, is in none. */
function wordsOf(text: string, tagging: Tagging, tokenizer: BertTokenizer): TaggedWord[][] {
  const { starts, ends, words } = tokenizer.encodePieces(text);
  const found: TaggedWord[][] = [];
  let [piece, last] = [0, -1];
  for (const unit of unitsOf(tagging)) {
    while (piece < starts.length && (ends[piece] as number) <= unit.start) piece += 1;
    if (piece >= starts.length || (starts[piece] as number) >= unit.end) continue;
    const word = words[piece] as number;
    if (word === last) found.at(-1)?.push(unit);
    else found.push([unit]);
    last = word;
  }
  return found;
}

function taggedWord(units: readonly TaggedWord[], strategy: "first" | "average" | "max"): TaggedWord {
  const [first] = units as [TaggedWord];
  const place = { start: first.start, end: units.at(-1)?.end ?? first.end };
  if (strategy === "first") return { ...first, ...place };
  if (strategy === "max") return { ...units.reduce((best, unit) => (unit.score > best.score ? unit : best)), ...place };
  const sums = new Map<string, number>();
  for (const { tag, score } of units) sums.set(tag, (sums.get(tag) ?? 0) + score / units.length);
  const [tag, score] = [...sums].reduce((best, one) => (one[1] > best[1] ? one : best));
  return { ...place, tag, score };
}

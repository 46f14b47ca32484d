/** What stands in the place of predicted tokens: [MASK], a random token, or the token itself. */
import type { Vocabulary } from "../text/vocabulary.ts";
import { CONTINUATION_PREFIX, SPECIAL_TOKENS } from "../text/vocabulary.ts";
import type { Random } from "../util/random.ts";
import type { Units } from "./masking-units.ts";

/** Replaces the tokens of a run, the units [first, last) that lie side by side, in place. */
export type Replace = (ids: Int32Array, units: Units, first: number, last: number, random: Random) => void;

/** How much becomes what. */
export interface ReplacementShares {
  readonly vocabulary: Vocabulary;
  readonly maskTokenProb: number;
  readonly randomTokenProb: number;
}

/** Draws for each token by itself. Source: create_masked_lm_predictions of google-research/bert. */
export function replaceTokens({ vocabulary, maskTokenProb, randomTokenProb }: ReplacementShares): Replace {
  const maskId = vocabulary.ids.mask;
  const randomIds = ordinaryIds(vocabulary);
  return (ids, { starts, ends }, first, last, random) => {
    const end = ends[last - 1]!;
    for (let i = starts[first]!; i < end; i++) {
      const drawn = random.uniform();
      if (drawn < maskTokenProb) ids[i] = maskId;
      else if (drawn < maskTokenProb + randomTokenProb) ids[i] = randomIds[random.integer(randomIds.length)]!;
    }
  };
}

/** Draws once for a run: all of it becomes [MASK], random tokens, or stays. Source: Joshi et al. 2020, section 3.1. */
export function replaceRuns({ vocabulary, maskTokenProb, randomTokenProb }: ReplacementShares): Replace {
  const maskId = vocabulary.ids.mask;
  const randomIds = ordinaryIds(vocabulary);
  return (ids, { starts, ends }, first, last, random) => {
    const [start, end] = [starts[first]!, ends[last - 1]!];
    const drawn = random.uniform();
    if (drawn < maskTokenProb) ids.fill(maskId, start, end);
    else if (drawn < maskTokenProb + randomTokenProb) {
      for (let i = start; i < end; i++) ids[i] = randomIds[random.integer(randomIds.length)]!;
    }
  };
}

/** Placeholders of the published vocabularies: [unused1], [PAD], <S>. */
const PLACEHOLDER = /^(\[(unused\d+|[A-Z]+)\]|<[A-Z]>)$/;
/** `##` and one Chinese character: entries that no tokenizer produces. */
const CONTINUED_CHINESE = /^##\p{Script=Han}$/u;

/**
 * The tokens that real text can have: no placeholders, no Chinese character with `##`, nothing blank.
 * @returns int32; never empty.
 */
export function ordinaryIds(vocabulary: Vocabulary): Int32Array {
  const isOrdinary = (token: string) =>
    !PLACEHOLDER.test(token) &&
    !CONTINUED_CHINESE.test(token) &&
    token.trim() !== "" &&
    token.trim() !== CONTINUATION_PREFIX &&
    !Object.values<string>(SPECIAL_TOKENS).includes(token);
  const ids = vocabulary.tokens.flatMap((token, id) => (isOrdinary(token) ? [id] : []));
  return Int32Array.from(ids.length > 0 ? ids : [vocabulary.ids.mask]);
}

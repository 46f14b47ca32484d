/** Filling several masks together: beam search over positions, each filled mask being read by the next. */
import { logOf, type MaskScorer } from "./mask-scorer.ts";
import type { MaskedText } from "./masked-text.ts";

/** Masks filled from the left. */
export interface Hypothesis {
  /** int32 [seq]; the filled row. */
  readonly ids: Int32Array;
  /** The tokens that fill the masks so far. */
  readonly chosen: readonly number[];
  /** The sum of the logarithms of their probabilities, each given the ones before. */
  readonly log: number;
}

/**
 * The likeliest fillings of all masks of each text; the texts' beams advance together, one mask a round.
 * @param beamSize - hypotheses that are followed; as many as there are fillings gives the exact ranking.
 * @param count - fillings to give for each text.
 * @returns by descending score.
 */
export async function fillJointly(
  scorer: MaskScorer,
  texts: readonly MaskedText[],
  beamSize: number,
  count: number,
): Promise<Hypothesis[][]> {
  let beams: Hypothesis[][] = texts.map(({ ids }) => [{ ids, chosen: [], log: 0 }]);
  const rounds = Math.max(0, ...texts.map(({ masks }) => masks.length));
  for (let round = 0; round < rounds; round++) {
    const open = texts.flatMap(({ masks }, text) => {
      const position = masks[round]?.position;
      if (position === undefined) return [];
      return (beams[text] ?? []).map((parent) => ({ text, position, parent }));
    });
    const keepOf = (text: number) => (round + 1 === texts[text]?.masks.length ? count : beamSize);
    const children: Child[][] = texts.map(() => []);
    await scorer.score(
      open.map(({ parent, position }) => ({ ids: parent.ids, positions: [position] })),
      (row, probabilities) => {
        const { text, position, parent } = open[row] as (typeof open)[number];
        for (const id of topIds(probabilities, keepOf(text))) {
          children[text]?.push({ parent, position, id, log: parent.log + logOf(probabilities[id] as number) });
        }
      },
    );
    beams = beams.map((beam, text) => {
      const own = children[text] as Child[];
      return own.length === 0 ? beam : best(own, keepOf(text)).map(grown);
    });
  }
  return beams;
}

interface Child {
  readonly parent: Hypothesis;
  readonly position: number;
  readonly id: number;
  readonly log: number;
}

function grown({ parent, position, id, log }: Child): Hypothesis {
  const ids = parent.ids.slice();
  ids[position] = id;
  return { ids, chosen: [...parent.chosen, id], log };
}

/** The highest by `log`, the highest first. */
export function best<T extends { readonly log: number }>(items: readonly T[], count: number): T[] {
  return [...items].sort((a, b) => b.log - a.log).slice(0, count);
}

/** The ids of the `count` largest scores, the largest first; of equal ones the smaller id first. */
export function topIds(scores: Float32Array, count: number): number[] {
  const top: number[] = [];
  for (let id = 0; id < scores.length; id++) {
    const score = scores[id] as number;
    if (top.length === count && score <= (scores[top.at(-1) as number] as number)) continue;
    let at = top.length;
    while (at > 0 && (scores[top[at - 1] as number] as number) < score) at -= 1;
    top.splice(at, 0, id);
    if (top.length > count) top.pop();
  }
  return top;
}

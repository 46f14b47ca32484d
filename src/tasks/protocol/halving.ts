/**
 * Successive halving: all places of a grid are trained for a little, the better half of them for longer, until one is trained to
 * its end. Source: Jamieson and Talwalkar 2016 (Non-stochastic best arm identification and hyperparameter optimization).
 */
import { ArgumentError } from "../../errors.ts";

/** A round of the search. */
export interface Rung {
  /** How many places are trained on. */
  readonly places: number;
  /** How many evaluations (by default: epochs) each has behind it at the end of the round. */
  readonly evaluations: number;
}

/** Of three or four the authors' experiments tell no difference; two throws away least. */
const FACTOR = 2;

/**
 * The rounds of a search, from all places to those that are trained to the end.
 * @param places - at least 1. @param evaluations - of a whole run, at least 1.
 * @throws {ArgumentError} when one is less.
 */
export function halvingRungs(places: number, evaluations: number): Rung[] {
  for (const [what, value] of Object.entries({ places, evaluations })) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new ArgumentError({
      where: `successive halving: ${what}`,
      expected: "a whole number of 1 or more",
      got: value,
    });
  }
  const rounds = Math.min(Math.floor(Math.log2(places)), Math.floor(Math.log2(evaluations)));
  return Array.from({ length: rounds + 1 }, (_, i) => ({
    // Rounded up: with few places a half too many costs little, and a good one thrown away much.
    places: Math.ceil(places / FACTOR ** i),
    evaluations: i === rounds ? evaluations : Math.max(1, Math.floor(evaluations / FACTOR ** (rounds - i))),
  }));
}

/** A place of the grid and how well it did at each of its evaluations. */
export interface Trial<Place> {
  readonly place: Place;
  /** Of the metric by which places are compared, in the order of the evaluations. */
  readonly values: readonly number[];
  /** Why it cannot be trained on: a loss that is not a number. */
  readonly failed?: string;
}

/**
 * What to do next: the trials of the first round that is not complete, those that still lack evaluations; none when the search
 * is over.
 * @param trials - of all places, in any state: a search that was interrupted goes on from here.
 */
export function nextTrials<One extends Trial<unknown>>(
  trials: readonly One[],
  rungs: readonly Rung[],
  isLowerBetter = false,
): { readonly rung: number; readonly trials: readonly One[] } | undefined {
  let alive = trials.filter(({ failed }) => failed === undefined);
  for (const [i, { places, evaluations }] of rungs.entries()) {
    const before = rungs[i - 1];
    if (before !== undefined) alive = bestTrials(alive, before.evaluations, isLowerBetter).slice(0, places);
    const open = alive.filter(({ values }) => values.length < evaluations);
    if (open.length > 0) return { rung: i, trials: open };
  }
  return undefined;
}

/** Trials by the best of their first evaluations, the best first; ties as they were. A run gives its best model, not its last. */
export function bestTrials<One extends Trial<unknown>>(
  trials: readonly One[],
  evaluations = Number.POSITIVE_INFINITY,
  isLowerBetter = false,
): readonly One[] {
  const sign = isLowerBetter ? -1 : 1;
  const score = ({ values }: One): number => {
    const seen = values.slice(0, evaluations).filter(Number.isFinite);
    return seen.length === 0 ? Number.NEGATIVE_INFINITY : Math.max(...seen.map((value) => sign * value));
  };
  return [...trials].sort((a, b) => score(b) - score(a) || 0);
}

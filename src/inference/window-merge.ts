/**
 * Long texts in several windows: which tokens each window contributes with which weight, and how the vectors become one.
 *
 * Means are exact: each token of the text counts once, in the window that sees most of its surroundings.
 */
import { choosesToken, type PoolingStrategy, tokenWeights } from "./pooling.ts";
import { Role, type TokenRow } from "./token-rows.ts";

/** What becomes of the vectors of several windows. */
export type WindowMerge = "mean" | "first" | "max";

/** All ways to merge. */
export const WINDOW_MERGES: readonly WindowMerge[] = ["mean", "first", "max"];

/** What a row contributes to its text. */
export interface RowPlan {
  /** float32 [tokens]; for graphs that pool by weights. */
  readonly weights: Float32Array;
  /** uint8 [tokens]; for graphs that take the maximum. */
  readonly mask: Uint8Array;
  /** The row's share of the text's tokens, in 0 .. 1; the shares of a text sum to 1. */
  readonly share: number;
  /** Tokens of the text before this row's own. */
  readonly firstToken: number;
}

/** The part of an EmbedPlan that decides how rows come together. */
export interface MergePlan {
  readonly strategy: PoolingStrategy;
  readonly maskClsSep: boolean;
  readonly merge: WindowMerge | undefined;
}

/** What each row of a text contributes. */
export function rowPlans(rows: readonly TokenRow[], plan: MergePlan): Map<TokenRow, RowPlan> {
  const masks = rows.map(({ roles }) => roles.map((role) => counts(role, plan)));
  const sizes = rows.map(({ roles }) => roles.reduce((sum, role) => sum + (role === Role.Context ? 0 : 1), 0));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const weights = rowWeights(rows, masks, plan);
  const plans = new Map<TokenRow, RowPlan>();
  let firstToken = 0;
  rows.forEach((row, i) => {
    const size = sizes[i] as number;
    const share = size / total;
    const own = weights[i] as Float32Array;
    // One token stands for each window: the mean over windows, by their tokens.
    if (choosesToken(plan.strategy) && plan.merge !== "max")
      own.forEach((weight, at) => {
        own[at] = weight * share;
      });
    plans.set(row, { weights: own, mask: masks[i] as Uint8Array, share, firstToken });
    firstToken += size;
  });
  return plans;
}

function counts(role: number, { maskClsSep }: MergePlan): number {
  return role === Role.Text || (role === Role.Special && !maskClsSep) ? 1 : 0;
}

function rowWeights(rows: readonly TokenRow[], masks: readonly Uint8Array[], plan: MergePlan): Float32Array[] {
  const { strategy, merge } = plan;
  if (choosesToken(strategy)) return rows.map((row) => tokenWeights(strategy, choiceMask(row, plan)));
  if (rows.length === 1 || merge === "max") return masks.map((mask) => tokenWeights(strategy, mask, 0));
  // As if the windows' own tokens stood in one long row.
  const own = rows.map(({ roles }) => [...roles.keys()].filter((at) => roles[at] !== Role.Context));
  const together = tokenWeights(
    strategy,
    own.flatMap((places, i) => places.map((at) => masks[i]?.[at] as number)),
    0,
  );
  let next = 0;
  return rows.map(({ ids }, i) => {
    const weights = new Float32Array(ids.length);
    for (const at of own[i] as number[]) weights[at] = together[next++] as number;
    return weights;
  });
}

/** The tokens that one may be chosen from: all of the row, and [CLS] even where it is masked. */
function choiceMask({ roles }: TokenRow, { strategy, maskClsSep }: MergePlan): Uint8Array {
  const mask = new Uint8Array(roles.length).fill(1);
  if (!maskClsSep || strategy === "cls") return mask;
  roles.forEach((role, at) => {
    if (role === Role.Special || at === 0 || at === roles.length - 1) mask[at] = 0;
  });
  return mask;
}

/**
 * Adds a row's vector to its text's.
 * @param vector - float32 [width]; what the rows before came to.
 * @param row - float32 [width].
 * @param isFirst - whether no row came before.
 */
export function mergeInto(
  vector: Float32Array,
  row: Float32Array,
  { share }: RowPlan,
  isFirst: boolean,
  { strategy, merge }: MergePlan,
): void {
  const half = strategy === "mean-max" ? vector.length / 2 : strategy === "max" ? 0 : vector.length;
  // The pooler's vector and maxima come from the graph without their share.
  const sumScale = strategy === "pooler" ? share : 1;
  const mergeRange = (start: number, end: number, isMaximum: boolean, scale: number) => {
    for (let i = start; i < end; i++) {
      const value = row[i] as number;
      if (isMaximum) vector[i] = isFirst ? value : Math.max(vector[i] as number, value);
      else vector[i] = (vector[i] as number) + scale * value;
    }
  };
  mergeRange(0, half, merge === "max", sumScale);
  mergeRange(half, vector.length, merge !== "mean", share);
}

/**
 * A run's share of a budget of hours, by step.
 *
 * Time is counted in thousandths of the budget, and the step at which each began is kept: these numbers, not the clock,
 * are what the rest of the run depends on. They are in every checkpoint, and a run that is given them repeats the first bit
 * for bit.
 */
import { CheckpointError, TrainingError, verbatim } from "../errors.ts";

/** The parts into which a budget is counted. */
export const BUDGET_PARTS = 1000;
const MS_PER_HOUR = 3_600_000;

/** Where a budget stands; for a checkpoint. */
export interface BudgetState {
  /** Of training that is in the weights. */
  readonly elapsedMs: number;
  /** Entry k: the number of updates done when k thousandths had passed. */
  readonly trace: readonly number[];
  /** The whole trace of another run, which is repeated. */
  readonly replay?: readonly number[];
}

/** The clock of a run. */
export class TimeBudget {
  readonly #budgetMs: number;
  readonly #clock: () => number;
  readonly #trace: number[];
  readonly #replay: readonly number[] | undefined;
  #elapsedMs: number;
  #readAt: number;

  /**
   * @param hours - > 0. @param clock - milliseconds from any origin; time that runs backwards counts as none.
   * @throws {TrainingError} when the trace to repeat is not one of a whole run.
   */
  constructor(hours: number, clock: () => number, { elapsedMs, trace, replay }: BudgetState) {
    this.#budgetMs = hours * MS_PER_HOUR;
    this.#clock = clock;
    this.#elapsedMs = elapsedMs;
    this.#trace = [...trace];
    this.#replay = replay;
    this.#readAt = clock();
    if (replay !== undefined && replay.length !== BUDGET_PARTS + 1) {
      throw new TrainingError({
        where: "replay",
        expected: "a run by hours that came to its end",
        got: verbatim(`one that stopped at ${replay.length - 1} of ${BUDGET_PARTS} thousandths`),
        hint: "Go on with that run first.",
      });
    }
  }

  /**
   * The thousandths that have passed before an update: 0 to 1000, where 1000 is the end.
   * @param step - updates done; never less than in the call before.
   */
  partsAt(step: number): number {
    const now = this.#clock();
    this.#elapsedMs += Math.max(0, now - this.#readAt);
    this.#readAt = now;
    const passed = this.#replay
      ? countUpTo(this.#replay, step) - 1
      : Math.min(BUDGET_PARTS, Math.floor((this.#elapsedMs / this.#budgetMs) * BUDGET_PARTS));
    while (this.#trace.length <= passed) this.#trace.push(step);
    return this.#trace.length - 1;
  }

  /** For a checkpoint. */
  state(): BudgetState {
    const replay = this.#replay === undefined ? {} : { replay: this.#replay };
    return { elapsedMs: this.#elapsedMs, trace: [...this.#trace], ...replay };
  }
}

/** How many entries of an ascending list are not above a limit. */
function countUpTo(ascending: readonly number[], limit: number): number {
  const above = ascending.findIndex((entry) => entry > limit);
  return above < 0 ? ascending.length : above;
}

/**
 * Reads a budget's state out of JSON.
 * @throws {CheckpointError} when it is none.
 */
export function parseBudgetState(json: unknown, where: string): BudgetState {
  const { elapsedMs, trace, replay } = (json ?? {}) as Record<string, unknown>;
  const isTrace = (value: unknown): value is number[] =>
    Array.isArray(value) &&
    value.length <= BUDGET_PARTS + 1 &&
    value.every((entry, i) => Number.isSafeInteger(entry) && entry >= (value[i - 1] ?? 0));
  if (typeof elapsedMs === "number" && elapsedMs >= 0 && isTrace(trace) && (replay === undefined || isTrace(replay))) {
    return { elapsedMs, trace, ...(replay === undefined ? {} : { replay }) };
  }
  throw new CheckpointError({
    where,
    expected: "elapsedMs of 0 or more, and steps in ascending order as trace",
    got: verbatim(`${JSON.stringify(json) ?? "nothing"}`.slice(0, 100)),
    hint: "The checkpoint is damaged; remove its folder to resume from the one before it.",
  });
}

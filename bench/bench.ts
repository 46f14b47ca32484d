/** What a benchmark is: the same work on several sides, each in a process of its own, run in turn. */

/** What the command line can set, whole numbers and words: `--batch=8 --precision=bf16`. */
export type Settings = Readonly<Record<string, number | string>>;

/** What one run gets through, such as `bytes`, `tokens` or `flop`. */
export type Amounts = Readonly<Record<string, number>>;

/** What a run tells besides its time, such as `engineSeconds`. */
export type Facts = Readonly<Record<string, number>>;

/** A side that is ready to run. */
export interface Work {
  readonly version: string;
  readonly amounts: Amounts;
  /** What is told once, such as how far results are from those of a reference. */
  readonly facts?: Facts;
  /** Untimed runs before the timed ones; 3. */
  readonly warmUps?: number;
  /** Does the work once; may give `seconds` where it timed a part of itself, and further facts. */
  run(): Promise<Facts | undefined> | Facts | undefined;
}

/** A program that speaks the protocol of side-process.ts by itself. */
export interface PeerCommand {
  readonly command: string;
  readonly args: readonly string[];
}

/** One way to do the work: `prepare` runs in a fresh Node.js process; `peer` names another program. */
export type Side =
  | { readonly name: string; prepare(settings: Settings): Promise<Work> }
  | { readonly name: string; peer(settings: Settings): PeerCommand };

/** Sides that are set against each other. */
export interface Comparison {
  readonly ours: string;
  /** Another side; or several, of which the fastest counts, and for memory the one that takes the least. */
  readonly theirs: string | readonly string[];
  /** How many times as fast ours should be. */
  readonly goal?: number;
  /** The most of their memory that ours should take at its peak: 0.8. */
  readonly memoryGoal?: number;
}

/** A benchmark; the default export of `<name>.bench.ts`. */
export interface Bench {
  readonly summary: string;
  /** Each setting's default and meaning; a word where the default is one. */
  readonly settings: Readonly<Record<string, readonly [value: number | string, help: string]>>;
  /** What is measured where the command line does not say: settings other than the defaults, one case after the other. */
  readonly cases?: readonly Settings[];
  /** Values of settings; each is a case in which nothing else differs from the defaults. Cost is drawn against them. */
  readonly sweeps?: Readonly<Record<string, readonly number[]>>;
  /** Timed runs of each side, when the command line does not say. */
  readonly rounds: number;
  /** The rate that the table shows: amount times scale a second. */
  readonly rate: { readonly amount: string; readonly scale: number; readonly unit: string };
  readonly sides: readonly Side[];
  readonly comparisons: readonly Comparison[];
  /** The amounts that must be equal on all sides, or else they did not do the same work. */
  readonly same: readonly string[];
  /** What a side's facts show to be wrong, in words. */
  problem?(facts: Facts): string | undefined;
  /** A remark for the table, from the medians of a side's facts. */
  remark?(facts: Facts, amounts: Amounts): string;
}

/** Thrown while a side is prepared: it cannot run here, and the message says why. */
export class Skip extends Error {}

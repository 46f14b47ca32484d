/** What is noticed of data: a sentence for people with the measurement behind it, for programs too. */
import { inPercent } from "../../util/percent.ts";

/** One thing that people should know of their data. */
export interface DataNote {
  /** What it is about, for programs: "label-counts", "overlap", "unknown-pieces". */
  readonly kind: string;
  /** A warning is something to act on; information needs no action. */
  readonly level: "info" | "warning";
  /** One sentence with the numbers, without a full stop at its end. */
  readonly message: string;
  /** What was measured, by name: counts, and shares in [0, 1]. */
  readonly measured?: Readonly<Record<string, number>>;
  /** What to do: a command or an option, in words that can be typed. */
  readonly run?: string;
}

/** A share as notes write it: `3.4 %`, `34 %`. */
export function percent(share: number): string {
  return `${inPercent(share, share < 0.1 ? 1 : 0)} %`;
}

/** The numbers that a reader looks for first, and how numbers are written. */

import { inPercent } from "../util/percent.ts";
import { hasPairs } from "./run-charts.ts";
import { evaluations, numberAt, type RunData, trainingLines } from "./run-data.ts";

/** A number with its name, and what it is to be read against. */
export interface Fact {
  readonly name: string;
  readonly value: string;
  readonly detail?: string;
}

/** The facts of a run; what was not measured is left out. */
export function factsOf(run: RunData): Fact[] {
  const [training, heldOut] = [trainingLines(run), evaluations(run)];
  const last = heldOut.at(-1) ?? training.at(-1);
  const where = heldOut.length > 0 ? "held out" : "in training";
  const show = (name: string, field: string, write: (value: number) => string, detail?: string): Fact[] => {
    const value = numberAt(last, field);
    return value === undefined ? [] : [{ name, value: write(value), ...(detail === undefined ? {} : { detail }) }];
  };
  const nats = (value: number) => value.toFixed(3);
  return [
    ...show(`Masked tokens, ${where}`, "mlmAccuracy", percent, accuracyDetail(run)),
    ...show("Whole words, held out", "wordAccuracy", percent),
    ...show(`MLM loss, ${where}`, "mlmLoss", nats, lossDetail(run)),
    ...(hasPairs(training) ? show(`Next sentences, ${where}`, "nspAccuracy", percent) : []),
    ...throughput(run),
    ...(run.model === undefined
      ? []
      : [{ name: "Parameters", value: `${(run.model.parameters / 1e6).toFixed(1)} M`, detail: sizeOf(run) }]),
  ];
}

function accuracyDetail(run: RunData): string | undefined {
  const lines = evaluations(run);
  const baseline = numberAt(lines.at(-1), "mostFrequentAccuracy");
  const best = extreme(lines, "mlmAccuracy", (a, b) => a > b);
  if (baseline === undefined || best === undefined) return undefined;
  return `best ${percent(best.value)} at step ${grouped(best.step)}; most frequent token ${percent(baseline)}`;
}

function lossDetail(run: RunData): string | undefined {
  const best = extreme(evaluations(run), "mlmLoss", (a, b) => a < b);
  return best && `best ${best.value.toFixed(3)} at step ${grouped(best.step)}`;
}

/** The best value of a field and its step. */
export function extreme(
  lines: readonly (Readonly<Record<string, unknown>> & { readonly step: number })[],
  field: string,
  isBetter: (a: number, b: number) => boolean,
): { readonly step: number; readonly value: number } | undefined {
  let best: { step: number; value: number } | undefined;
  for (const line of lines) {
    const value = numberAt(line, field);
    if (value !== undefined && (best === undefined || isBetter(value, best.value))) best = { step: line.step, value };
  }
  return best;
}

/** Medians: a moment when the machine did something else says little. */
function throughput(run: RunData): Fact[] {
  const training = trainingLines(run);
  const tokens = median(training.flatMap((line) => numberAt(line, "tokensPerSecond") ?? []));
  if (tokens === undefined) return [];
  const gigaflops = median(training.flatMap((line) => numberAt(line, "gigaflopsPerSecond") || []));
  const medianOf = (field: string) => median(training.flatMap((line) => numberAt(line, field) ?? []));
  // Measured for the report, or when the run began.
  const peak = run.machinePeak === undefined ? undefined : run.machinePeak / 1e9;
  const peakShare = peak === undefined || gigaflops === undefined ? medianOf("peakShare") : gigaflops / peak;
  const share = peakShare === undefined ? "" : `, ${percent(peakShare)} of the peak`;
  const engineShare = medianOf("engineShare");
  const padding = medianOf("paddingShare");
  const details = [
    ...(gigaflops === undefined ? [] : [`${grouped(Math.round(gigaflops))} GFLOP/s${share}`]),
    ...(padding === undefined ? [] : [`padding ${percent(padding)}`]),
    ...(engineShare === undefined ? [] : [`${percent(1 - engineShare)} of the time outside the engine`]),
  ];
  const fact = { name: "Tokens a second", value: grouped(Math.round(tokens)) };
  return [details.length > 0 ? { ...fact, detail: details.join("; ") } : fact];
}

function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

/** 4 layers, 312 wide. */
function sizeOf({ model }: RunData): string {
  const { num_hidden_layers: layers, hidden_size: width } = model?.config ?? {};
  return `${layers} layers, ${width} wide`;
}

/** 12,345. */
export function grouped(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 6 });
}

/** 14.3 %, not to be parted at the end of a line. */
export function percent(share: number): string {
  return `${inPercent(share)}\u00a0%`;
}

/** 104.5 MB. */
export function formatBytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

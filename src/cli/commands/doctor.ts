/** `zhbert doctor`: what this machine has for computing, how fast it is, and which engine is taken for what. */
import type { EngineTime } from "../../node/choose-runtime.ts";
import {
  type EnginePeak,
  examineMachine,
  type FoundEngine,
  type MachineReport,
  type WorkChoice,
} from "../../node/doctor.ts";
import { several } from "../../util/several.ts";
import { defineCommand, type Output } from "../command.ts";
import { noteLoad } from "../machine-load.ts";
import { packageVersion } from "../version.ts";

export default defineCommand({
  name: "doctor",
  summary:
    "examine this machine: engines, processor, measured speeds, which engine is taken for what, and how to get more",
  examples: ["zhbert doctor", "zhbert doctor --json > machine.json"],
  async run({ output, signal }) {
    const progress = output.progress({ total: STEPS, unit: "steps", label: "doctor" });
    let done = 0;
    const report = await examineMachine((step) => {
      signal.throwIfAborted();
      progress.update(Math.min(STEPS, done++), { measuring: step });
    }).finally(() => progress.stop());
    output.json({ zhbert: packageVersion(), ...report });
    noteLoad(output, report.processor.threads);
    printMachine(output, report);
    printEngines(output, report.engines);
    printPeaks(output, report.peaks);
    for (const choice of report.choices) printChoice(output, choice);
    printHints(output, report);
  },
});

/** About: WebGPU, memory, two engines in five precisions, two kinds of work. */
const STEPS = 9;

function printMachine(output: Output, report: MachineReport): void {
  const { processor, memory, bandwidth, jieba, caches } = report;
  const { features, source } = processor;
  const has = Object.entries(features ?? {}).map(([name, isThere]) => `${name} ${isThere ? "yes" : "no"}`);
  output.table(
    ["machine", ""],
    [
      ["processor", `${processor.model}, ${processor.architecture}, ${several(processor.threads, "thread")}`],
      ["instructions", features === undefined ? "unknown: this system does not tell" : `${has.join(", ")} (${source})`],
      ["memory", `${gigabytes(memory.totalBytes)} GB, ${gigabytes(memory.freeBytes)} GB of it free`],
      [
        "memory speed",
        `${gigabytes(bandwidth.bytesPerSecond)} GB/s read and written by ${several(bandwidth.threads, "thread")} that copy arrays`,
      ],
      ["system", report.system],
      ["Node.js", report.node],
      ["zhbert", packageVersion()],
      ["jieba", jieba.version ?? `does not load: ${jieba.error}`],
      ["models", caches.models],
      ["measurements", caches.measurements],
    ],
  );
}

function printEngines(output: Output, engines: readonly FoundEngine[]): void {
  output.print();
  output.table(
    ["engine", "version", "found by", "where"],
    engines.map(({ runtime, isReady, version, foundBy, path, problems }) => [
      runtime,
      isReady ? (version ?? "") : problems.length === 0 ? "not found" : "not usable",
      isReady ? (foundBy ?? "") : "",
      isReady ? (path ?? "") : "",
    ]),
  );
  for (const { runtime, problems } of engines) for (const problem of problems) output.print(`${runtime}: ${problem}`);
}

function printPeaks(output: Output, peaks: readonly EnginePeak[]): void {
  output.print();
  output.table(
    ["matrix products of 1024 x 1024", "GFLOP/s"],
    peaks.map(({ runtime, precision, flopsPerSecond, error }) => [
      `${runtime} ${precision}`,
      flopsPerSecond === undefined ? `– (${error})` : Math.round(flopsPerSecond / 1e9),
    ]),
  );
}

function printChoice(output: Output, { mode, sizes, comparison, f32, auto }: WorkChoice): void {
  const { work, tokens, times } = comparison;
  const { hiddenSize, intermediateSize } = work;
  output.print();
  output.table(
    [`${mode}: a layer of ${sizes.join(" and ")} (${hiddenSize}, ${intermediateSize}), ${tokens} tokens`, "ms", ""],
    times.map((time) => [
      named(time),
      time.milliseconds === undefined ? "–" : time.milliseconds.toFixed(1),
      time.error ?? uses(time, f32, auto),
    ]),
  );
  output.print(reasonOf(comparison.times, f32, auto));
  // Alone it is taken without being measured.
  if (times.length < 2) return;
  if (!comparison.isSteady) output.print("The machine was too busy to measure it well: this is not kept.");
  else if (comparison.isBusy) output.print("Other programs ran beside it: this is kept for an hour.");
}

/** When an engine is taken. */
function uses(time: EngineTime, f32: EngineTime, auto: EngineTime): string {
  const [isDefault, isAuto] = [f32, auto].map((one) => named(one) === named(time));
  if (isDefault) return isAuto ? "taken, also with --precision auto" : "taken";
  return isAuto ? "taken with --precision auto" : "";
}

/** Why, in a sentence. */
function reasonOf(times: readonly EngineTime[], f32: EngineTime, auto: EngineTime): string {
  const other = times.find(({ precision, runtime }) => precision === "f32" && runtime !== f32.runtime);
  const why = other === undefined ? `${named(f32)} is the only engine here` : comparedWith(other, f32);
  if (auto.precision === "f32") return `${why}.`;
  return `${why}; ${named(auto)} is ${ratio(f32, auto)} times as fast as that.`;
}

function comparedWith(other: EngineTime, taken: EngineTime): string {
  if (other.milliseconds === undefined) return `${named(taken)} is the only one that computed it in f32`;
  if (taken.runtime === "onnxruntime") {
    return `${named(taken)} stays: ${named(other)} takes ${ratio(other, taken)} times its time`;
  }
  return `${named(taken)} is ${ratio(other, taken)} times as fast as ${named(other)}`;
}

function named({ runtime, precision, streams }: EngineTime): string {
  return `${runtime} ${precision}${streams > 1 ? ` in ${streams} streams` : ""}`;
}

function ratio(slow: EngineTime, fast: EngineTime): string {
  return ((slow.milliseconds as number) / (fast.milliseconds as number)).toFixed(2);
}

/** So many times as fast, integers are worth another model. */
const WORTH_INT8 = 1.3;

function printHints(output: Output, { engines, choices, peaks, multipliesBf16 }: MachineReport): void {
  const hints = engines.flatMap(({ runtime, isReady, hint }) =>
    isReady || hint === undefined ? [] : [`${runtime}: ${hint}`],
  );
  if (multipliesBf16 === false) hints.push("bf16: this processor has no instructions for it (AVX512_BF16, AMX)");
  const isFaster = choices.some(({ auto }) => auto.precision === "bf16");
  if (isFaster) hints.push("bf16 is faster here: --precision auto takes it, at the price of the third digit");
  const peak = (wanted: EnginePeak["precision"]) =>
    Math.max(
      0,
      ...peaks.flatMap(({ precision, flopsPerSecond }) => (precision === wanted ? (flopsPerSecond ?? []) : [])),
    );
  const gain = peak("int8") / peak("f32");
  if (gain >= WORTH_INT8) {
    hints.push(
      `int8 products are ${gain.toFixed(1)} times as fast as f32 here: zhbert quantize MODEL -o FOLDER --calibrate texts.txt`,
    );
  }
  if (hints.length === 0) return;
  output.print();
  for (const hint of hints) output.print(`-> ${hint}`);
}

function gigabytes(bytes: number): string {
  return (bytes / 1e9).toFixed(1);
}

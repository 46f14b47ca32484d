/**
 * Which engine computes, and in which precision: the one that is asked for, or the fastest by a measurement of the work, which
 * is made once for a machine and kept. The engines themselves are passed in.
 */
import { ArgumentError, RuntimeError, verbatim } from "../errors.ts";
import { withFallback } from "../runtime/fallback.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { type Measured, recall, remember } from "./machine-cache.ts";
import { type LayerTimes, type LayerWork, usualWork } from "./measure-layer.ts";
import { OPENVINO_HINT } from "./openvino/find.ts";
import { engineStreams, engineThreads, multipliesBf16, type Processor, withoutBf16 } from "./processor.ts";

/** The engines by name: `webgpu` is ONNX Runtime on a graphics processor. */
export const RUNTIMES = ["onnxruntime", "openvino", "webgpu"] as const;

/** An engine by name. */
export type RuntimeName = (typeof RUNTIMES)[number];

/** What matrix products are computed in. */
export const PRECISIONS = ["f32", "bf16", "int8"] as const;

/** The precision of matrix products; bfloat16 keeps 8 bits of each factor, sums stay in f32. */
export type Precision = (typeof PRECISIONS)[number];

/** What is asked for. */
export interface RuntimeOptions {
  /** `auto` takes the engine that is faster here; ONNX Runtime when left out. */
  readonly runtime?: RuntimeName | "auto";
  /** `auto` takes bf16 where that is faster; f32 when left out, so that no result depends on the machine. */
  readonly precision?: Precision | "auto";
  /** Threads of all runs together; all processors when left out. */
  readonly threads?: number;
  /**
   * Runs that are computed at the same time, each on its share of the threads, where a stream of texts is worked through;
   * OpenVINO alone has more than one. `auto` takes as many as are fastest here; 1 when left out.
   */
  readonly streams?: number | "auto";
  /** Whether ONNX Runtime computes what the engine refuses; it does so for `auto` when left out. */
  readonly fallback?: boolean;
  /** What `auto` measures; a layer of BERT-base, forward, when left out. */
  readonly work?: LayerWork;
  /** What people should know of the choice. */
  readonly onNote?: (text: string) => void;
}

/** An engine that is installed. */
export interface InstalledEngine {
  readonly runtime: RuntimeName;
  readonly version: string;
  /** None of one that cannot be used. */
  readonly precisions: readonly Precision[];
  /** Why it cannot be used, although something of it is there. */
  readonly problem?: string;
}

/** An engine to be opened. */
export interface OpenEngine {
  readonly runtime: RuntimeName;
  readonly precision: Precision;
  readonly threads: number;
  /** Runs at a time; 1 when left out. */
  readonly streams?: number;
  /** Is told what is done otherwise than asked. */
  readonly onNote?: (text: string) => void;
}

/** The engines of a machine, as the choice needs them. */
export interface Engines {
  readonly processor: Processor;
  /** Those that `auto` may take, the default first. */
  installed(): Promise<readonly InstalledEngine[]>;
  /** @throws {RuntimeError} where it is missing or broken. */
  open(engine: OpenEngine): Promise<Runtime>;
  measure(runtimes: readonly Runtime[], work: LayerWork, milliseconds?: number): Promise<LayerTimes>;
  /** Where measurements are kept; the user's cache folder when left out. */
  readonly cacheFolder?: string;
}

/** What an engine took for the work in a precision. */
export interface EngineTime {
  readonly runtime: RuntimeName;
  readonly version: string;
  readonly precision: Precision;
  /** Runs at a time. */
  readonly streams: number;
  /** For one run, several at a time counted by their share; undefined where it cannot do the work. */
  readonly milliseconds?: number;
  /** Why it cannot. */
  readonly error?: string;
}

/** Engines beside each other on the same work. */
export interface Comparison {
  readonly threads: number;
  readonly work: LayerWork;
  /** Of one run. */
  readonly tokens: number;
  readonly times: readonly EngineTime[];
  /** Whether there was time for more than one round; else it is not kept. */
  readonly isSteady: boolean;
  /** Whether other programs ran; it is kept for an hour then. */
  readonly isBusy: boolean;
}

/** An engine must be faster by this share than one before it in the list: noise shall not decide. */
const MARGIN = 0.05;

/** An engine in a precision. */
type Candidate = Pick<EngineTime, "runtime" | "version" | "precision" | "streams">;

/**
 * Opens the engine for some work.
 * @throws {ArgumentError} when engine, precision and threads cannot be. @throws {RuntimeError} when the engine is missing.
 */
export async function chooseRuntime(options: RuntimeOptions, engines: Engines): Promise<Runtime> {
  const { onNote = () => undefined, work = usualWork("inference") } = options;
  const threads = checkedThreads(options.threads, engines.processor, onNote);
  const asked = {
    runtime: checked("runtime", options.runtime ?? "onnxruntime", RUNTIMES),
    precision: precisionOf(options, engines, onNote),
    streams: options.streams === "auto" ? options.streams : engineStreams(options.streams, threads),
  };
  const chosen = await decide(asked, engines, threads, work, onNote);
  const runtime = await engines.open({ ...chosen, threads, onNote });
  const { name, version, precision } = runtime;
  if (precision !== "f32") {
    onNote(`${name} ${version} computes in ${precision}: results differ from those of f32 in the third digit`);
  }
  const { fallback = asked.runtime === "auto" } = options;
  if (!fallback || chosen.runtime === "onnxruntime") return runtime;
  return withFallback(runtime, await engines.open({ runtime: "onnxruntime", precision: "f32", threads }), onNote);
}

/** What is asked for, with names that are known. */
interface Asked {
  readonly runtime: RuntimeName | "auto";
  readonly precision: Precision | "auto";
  readonly streams: number | "auto";
}

async function decide(
  asked: Asked,
  engines: Engines,
  threads: number,
  work: LayerWork,
  onNote: (text: string) => void,
): Promise<Omit<Candidate, "version">> {
  const { runtime, precision, streams } = asked;
  if (runtime !== "auto") expectOffered(runtime, asked);
  // OpenVINO alone leaves something to choose.
  if (runtime === "onnxruntime" || runtime === "webgpu") return { runtime, precision: "f32", streams: 1 };
  // What is said needs no measurement, and whoever opens it knows best why it cannot be opened.
  if (runtime !== "auto" && precision !== "auto" && streams !== "auto") return { runtime, precision, streams };
  const installed = await engines.installed();
  const problems = installed.flatMap(({ runtime: name, problem }) => (problem ? [`${name}: ${problem}`] : []));
  const candidates = candidatesOf(installed, asked, engines.processor, threads);
  const [first, second] = candidates;
  // Of one that is named nobody tells better what is wrong with it than who opens it.
  if (first === undefined && runtime !== "auto" && precision !== "auto") return { runtime, precision, streams: 1 };
  if (first === undefined) throw noneFor(asked, problems);
  for (const problem of problems) onNote(`warning: an engine cannot be used. ${problem}`);
  if (second === undefined) return pick(first);
  const known = await recall(measurement(candidates, engines, threads, work));
  const comparison = known ?? (await compareEngines(candidates, engines, threads, work));
  const best = fastest(comparison.times);
  if (known === undefined) onNote(inWords(comparison, best));
  return pick(best);
}

function pick({ runtime, precision, streams }: Candidate): Omit<Candidate, "version"> {
  return { runtime, precision, streams };
}

/** Numbers of streams that `auto` tries: a wait for a run takes one of the four threads that Node.js has for such calls. */
const TRIED_STREAMS = [1, 2, 4];

/** Every engine that is installed, in every precision and with every number of streams that is asked for and that it has. */
function candidatesOf(
  installed: readonly InstalledEngine[],
  { runtime, precision, streams }: Asked,
  processor: Processor,
  threads: number,
): Candidate[] {
  const wanted = installed.filter((engine) => runtime === "auto" || engine.runtime === runtime);
  // int8 is a property of the model, and bf16 only slower where the processor has to imitate it.
  const offered = (name: Precision) =>
    precision === "auto"
      ? name === "f32" || (name === "bf16" && multipliesBf16(processor) !== false)
      : name === precision;
  const tried = streams === "auto" ? TRIED_STREAMS.filter((count) => count <= threads) : [streams];
  return wanted.flatMap(({ precisions, runtime: name, version }) => {
    const own = tried.filter((count) => count === 1 || name === "openvino");
    return precisions
      .filter(offered)
      .flatMap((one) => own.map((count) => ({ runtime: name, version, precision: one, streams: count })));
  });
}

/** All engines on some work, and which ones are taken: in f32, and where any precision will do. */
export interface EngineChoices {
  readonly comparison: Comparison;
  readonly f32: EngineTime;
  readonly auto: EngineTime;
}

/** Whoever asks for a measurement waits for it. */
const PATIENT_MS = 3000;

/**
 * Measures every engine in every precision, and in use with every number of streams, whatever was measured before; keeps what
 * `auto` finds next time.
 */
export async function measureChoices(engines: Engines, work: LayerWork): Promise<EngineChoices> {
  const { threads } = engines.processor;
  const installed = await engines.installed();
  const most = work.training ? 1 : "auto";
  const chosenFrom = (precision: "f32" | "auto", streams: 1 | "auto") =>
    candidatesOf(installed, { runtime: "auto", precision, streams }, engines.processor, threads);
  const comparison = await compareEngines(chosenFrom("auto", most), engines, threads, work, PATIENT_MS);
  const among = (candidates: readonly Candidate[]): Comparison => {
    const names = new Set(candidates.map(nameOf));
    return { ...comparison, times: comparison.times.filter((time) => names.has(nameOf(time))) };
  };
  const { isSteady, isBusy } = comparison;
  for (const precision of ["f32", "auto"] as const) {
    for (const streams of [1, most] as const) {
      const part = among(chosenFrom(precision, streams));
      if (isSteady) await remember(measurement(part.times, engines, threads, work), part, isBusy);
    }
  }
  return { comparison, f32: fastest(among(chosenFrom("f32", most)).times), auto: fastest(comparison.times) };
}

/** Measures the candidates beside each other, and keeps the result. */
async function compareEngines(
  candidates: readonly Candidate[],
  engines: Engines,
  threads: number,
  work: LayerWork,
  milliseconds?: number,
): Promise<Comparison> {
  const opened: OpenedCandidate[] = [];
  try {
    for (const candidate of candidates) opened.push(await openCandidate(candidate, engines, threads));
    const running = opened.flatMap(({ runtime }) => (runtime === undefined ? [] : [runtime]));
    const { times, tokens, isSteady, isBusy } = await engines.measure(running, work, milliseconds);
    const timeOf = ({ candidate, runtime, error }: OpenedCandidate): EngineTime => {
      const time = runtime === undefined ? { error } : times[running.indexOf(runtime)];
      if (time?.milliseconds !== undefined) return { ...candidate, milliseconds: time.milliseconds };
      return { ...candidate, error: time?.error instanceof Error ? time.error.message : String(time?.error) };
    };
    const comparison = { threads, work, tokens, times: opened.map(timeOf), isSteady, isBusy };
    if (isSteady) await remember(measurement(candidates, engines, threads, work), comparison, isBusy);
    return comparison;
  } finally {
    for (const { runtime } of opened) await runtime?.dispose();
  }
}

interface OpenedCandidate {
  readonly candidate: Candidate;
  readonly runtime?: Runtime;
  readonly error?: unknown;
}

async function openCandidate(candidate: Candidate, engines: Engines, threads: number): Promise<OpenedCandidate> {
  const { precision } = candidate;
  try {
    const runtime = await engines.open({ ...pick(candidate), threads });
    if (runtime.precision === precision) return { candidate, runtime };
    await runtime.dispose();
    return { candidate, error: `computes in ${runtime.precision} here` };
  } catch (error) {
    return { candidate, error };
  }
}

/**
 * The engine to take: the first one, unless a later one is clearly faster.
 * @throws {RuntimeError} when none can do the work.
 */
export function fastest(times: readonly EngineTime[]): EngineTime {
  let best: EngineTime | undefined;
  for (const time of times) {
    if (time.milliseconds === undefined) continue;
    if (best?.milliseconds === undefined || time.milliseconds < (1 - MARGIN) * best.milliseconds) best = time;
  }
  if (best !== undefined) return best;
  throw new RuntimeError({
    where: "runtime auto",
    expected: "an engine that computes a layer of the model",
    got: verbatim(times.map(({ runtime, error }) => `${runtime}: ${error}`).join("; ")),
    hint: "zhbert doctor shows the engines of this machine",
  });
}

/** How a comparison is kept: for this processor, these engines and threads, and this work. */
function measurement(
  candidates: readonly Candidate[],
  { processor, cacheFolder }: Engines,
  threads: number,
  work: LayerWork,
): Measured<Comparison> {
  const { model, architecture } = processor;
  const names = candidates.map(nameOf);
  return {
    kind: "engines",
    key: { processor: model, architecture, threads, engines: names, work },
    isValid: (value): value is Comparison => {
      const { times } = (value ?? {}) as Partial<Comparison>;
      if (!Array.isArray(times) || times.map(nameOf).join() !== names.join()) return false;
      const numbers = (times as EngineTime[]).flatMap(({ milliseconds }) => milliseconds ?? []);
      return numbers.length > 0 && numbers.every((number) => number > 0);
    },
    ...(cacheFolder === undefined ? {} : { folder: cacheFolder }),
  };
}

function nameOf({ runtime, version, precision, streams }: Candidate): string {
  return `${runtime} ${version} ${precision}${streams > 1 ? ` in ${streams} streams` : ""}`;
}

/** What was found, in a line. */
function inWords({ times, work, isSteady, isBusy }: Comparison, best: EngineTime): string {
  const shown = times.map((time) => {
    const { milliseconds, error } = time;
    return `${nameOf(time)} ${milliseconds === undefined ? `failed (${error})` : `${milliseconds.toFixed(0)} ms`}`;
  });
  const what = work.training ? "forward and backward" : "forward";
  const kept = !isSteady
    ? "not kept, since the machine is busy"
    : isBusy
      ? "kept for an hour, since other programs run"
      : "kept for this machine";
  return `engine: ${nameOf(best)}, by a measurement of one layer ${what}, ${kept} (${shown.join(", ")})`;
}

function checkedThreads(
  asked: number | undefined,
  { threads: most }: Processor,
  onNote: (text: string) => void,
): number {
  const threads = engineThreads(asked, most);
  if (threads > most) {
    onNote(`warning: ${threads} threads on ${most} processors wait for each other; ${most} are as fast as it gets`);
  }
  return threads;
}

/** The precision that is asked for, or f32 where the processor has no other. */
function precisionOf(
  { precision = "f32" }: RuntimeOptions,
  { processor }: Engines,
  onNote: (text: string) => void,
): Precision | "auto" {
  const known = checked("precision", precision, PRECISIONS);
  if (known === "int8") {
    throw new ArgumentError({
      where: "precision",
      expected: "f32, bf16 or auto for a model that is not quantised",
      got: precision,
      hint: "int8 is a property of the model: zhbert quantize MODEL --calibrate texts.txt makes such a model",
    });
  }
  if (known !== "bf16" || multipliesBf16(processor) !== false) return known;
  onNote(withoutBf16(processor));
  return "f32";
}

function checked<Name extends string>(where: string, name: Name | "auto", names: readonly Name[]): Name | "auto" {
  if (name === "auto" || names.includes(name)) return name;
  throw new ArgumentError({ where, expected: `one of auto, ${names.join(", ")}`, got: name });
}

/** Refuses a precision, or streams, that an engine does not have. */
function expectOffered(runtime: RuntimeName, { precision, streams }: Asked): void {
  if (runtime === "openvino") return;
  if (precision !== "f32" && precision !== "auto") {
    throw new ArgumentError({
      where: "precision",
      expected: `f32 of ${runtime}`,
      got: precision,
      hint: `--runtime openvino computes in ${precision}; ${OPENVINO_HINT}`,
    });
  }
  if (streams === 1 || streams === "auto") return;
  throw new ArgumentError({
    where: "streams",
    expected: `1 of ${runtime}`,
    got: streams,
    hint: `--runtime openvino computes several runs at a time; ${OPENVINO_HINT}`,
  });
}

function noneFor({ runtime, precision, streams }: Asked, problems: readonly string[]): RuntimeError {
  const inStreams = streams === "auto" || streams === 1 ? "" : `, ${streams} runs at a time`;
  return new RuntimeError({
    where: runtime === "auto" ? "runtime" : `runtime ${runtime}`,
    expected: `an engine that computes in ${precision === "auto" ? "any precision" : precision}${inStreams}`,
    got: verbatim(problems.join("; ") || "none"),
    hint: `${OPENVINO_HINT}; zhbert doctor shows what is found${inStreams && "; --streams auto takes what there is"}`,
  });
}

/** The package's engines with a clock around what is the engine's own, so that what is done outside of it can be told. */
import * as ort from "onnxruntime-node";
import type { BertConfig } from "../src/model/config.ts";
import type { EngineChoice } from "../src/node/runtimes.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import { type Bench, type Facts, Skip } from "./bench.ts";
import { built } from "./built.ts";

/** A runtime, and the time that its engine took. */
export interface TimedRuntime {
  readonly runtime: Runtime;
  /** The engine's name and version, and the precision of its products. */
  readonly version: string;
  /** Seconds inside of the engine since the last call. */
  takeSeconds(): number;
}

/** Which engine of ours computes. */
export interface EngineSettings {
  readonly runtime: string;
  readonly precision: string;
  readonly threads: number;
  /** Runs at a time, or `auto`; one when left out. */
  readonly streams?: string;
}

/** The settings of a benchmark by which our engine is chosen. */
export function engineSettings(precision: string): Bench["settings"] {
  return {
    runtime: ["auto", "our engine: onnxruntime, openvino, or auto for the faster one"],
    precision: [precision, "of our matrix products, and of the peers' where they have it: f32, bf16, auto"],
    threads: [2, "threads of each engine"],
  };
}

/**
 * The package's runtime as commands open it, with a clock.
 * @throws {Skip} when the engine is not installed.
 */
export async function timedRuntime(
  { runtime: name, precision, threads, streams = "1" }: EngineSettings,
  mode: "inference" | "training",
  config?: BertConfig,
): Promise<TimedRuntime> {
  const { openRuntime } = await built("node/runtimes");
  const { RuntimeError } = await built("index");
  const clock = new EngineClock();
  watchOnnxRuntime(clock);
  await watchOpenVino(clock);
  const choice = { runtime: name, precision, threads, streams: streams === "auto" ? streams : Number(streams) };
  try {
    const { runtime } = await openRuntime(choice as EngineChoice, {
      mode,
      ...(config === undefined ? {} : { config }),
    });
    const { streams: atOnce = 1 } = runtime;
    const version = `${runtime.name} ${runtime.version} ${runtime.precision}${atOnce > 1 ? ` x ${atOnce}` : ""}`;
    return { runtime, version, takeSeconds: () => clock.takeSeconds() };
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    throw new Skip(error.message);
  }
}

/** The time in which at least one run is inside of an engine. */
class EngineClock {
  #milliseconds = 0;
  #running = 0;
  #began = 0;

  enter(): void {
    if (this.#running++ === 0) this.#began = performance.now();
  }

  leave(): void {
    if (--this.#running === 0) this.#milliseconds += performance.now() - this.#began;
  }

  takeSeconds(): number {
    const seconds = this.#milliseconds / 1000;
    this.#milliseconds = 0;
    return seconds;
  }
}

function watchOnnxRuntime(clock: EngineClock): void {
  const factory = ort.InferenceSession as { create: (...args: never[]) => Promise<ort.InferenceSession> };
  const create = factory.create.bind(factory);
  factory.create = async (...args) => {
    const session = await create(...args);
    const run = session.run.bind(session) as (...args: unknown[]) => ReturnType<typeof session.run>;
    session.run = async (...args: unknown[]) => {
      clock.enter();
      try {
        return await run(...args);
      } finally {
        clock.leave();
      }
    };
    return session;
  };
}

/** The library's functions are an object that all its graphs share. */
async function watchOpenVino(clock: EngineClock): Promise<void> {
  const { findOpenVino, openVinoApi } = await built("node/openvino/find");
  const { found } = findOpenVino();
  if (found === undefined) return;
  const api = openVinoApi(found.library);
  const { start, wait } = api;
  Object.assign(api, {
    start: (request: bigint) => {
      clock.enter();
      const status = start(request);
      if (status !== 0) clock.leave();
      return status;
    },
    wait: (request: bigint) => wait(request).finally(() => clock.leave()),
  });
}

/** The version of ONNX Runtime. */
export function onnxRuntimeVersion(): string {
  return `onnxruntime ${ort.env.versions.node}`;
}

/** For the table: the share of a run's time that is not the engine's; nothing of sides that do not tell. */
export function outsideEngine({ engineSeconds, seconds = 0 }: Facts): string[] {
  if (engineSeconds === undefined) return [];
  return [`${((1 - engineSeconds / seconds) * 100).toFixed(1)} % outside the engine`];
}

import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ArgumentError, RuntimeError } from "../errors.ts";
import { buildGraph, input } from "../graph/graph.ts";
import { mul } from "../graph/ops/arithmetic.ts";
import type { Runtime } from "../runtime/runtime.ts";
import {
  chooseRuntime,
  type Engines,
  fastest,
  type InstalledEngine,
  measureChoices,
  type RuntimeOptions,
} from "./choose-runtime.ts";
import type { Processor } from "./processor.ts";

const ONNX: InstalledEngine = { runtime: "onnxruntime", version: "1.0", precisions: ["f32"] };
const OPENVINO: InstalledEngine = { runtime: "openvino", version: "2.0", precisions: ["f32", "bf16"] };
const BROKEN: InstalledEngine = { runtime: "openvino", version: "", precisions: [], problem: "/lib/x.so: no TBB" };
const WITH_BF16: Processor = { model: "P", architecture: "x64", threads: 2, features: { AVX512_BF16: true } };
const WITHOUT_BF16: Processor = { ...WITH_BF16, features: { AVX512_BF16: false } };

let cacheFolder: string;
beforeEach(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), "zhbert-engines-"));
});
afterEach(() => rm(cacheFolder, { recursive: true }));

/** Milliseconds by engine and precision; an error is thrown when it is opened. */
type Times = Readonly<Record<string, number | Error>>;

interface Machine {
  readonly times: Times;
  readonly installed?: readonly InstalledEngine[];
  readonly processor?: Processor;
  readonly isSteady?: boolean;
  readonly isBusy?: boolean;
  /** The precision that engines compute in, whatever is asked for. */
  readonly only?: string;
}

/** A machine whose measurements are given; what was opened, disposed of and measured is written down. */
function machine({
  times,
  installed = [ONNX, OPENVINO],
  processor = WITH_BF16,
  isSteady = true,
  isBusy = false,
  only,
}: Machine) {
  const log: string[] = [];
  const engines: Engines = {
    processor,
    cacheFolder,
    installed: async () => installed,
    open: async ({ runtime: name, precision: asked, threads, streams = 1 }) => {
      const precision = only ?? asked;
      const time = times[`${name} ${asked}`];
      if (time instanceof Error) throw time;
      log.push(`open ${name} ${asked} ${threads}${streams > 1 ? ` in ${streams} streams` : ""}`);
      const dispose = async () => void log.push(`dispose ${name} ${asked}`);
      const version = installed.find(({ runtime }) => runtime === name)?.version ?? "?";
      return { name, version, precision, threads, streams, compile: refuse(name), dispose };
    },
    measure: async (runtimes) => {
      log.push("measure");
      const timeOf = ({ name, precision, streams = 1 }: Runtime) => {
        const key = `${name} ${precision}`;
        return { milliseconds: (times[`${key} x ${streams}`] ?? times[key]) as number };
      };
      return { times: runtimes.map(timeOf), tokens: 128, isSteady, isBusy };
    },
  };
  return { engines, log };
}

/** OpenVINO refuses every graph; ONNX Runtime computes them all. */
function refuse(name: string): Runtime["compile"] {
  return async () => {
    if (name === "openvino") throw new RuntimeError({ where: "openvino", expected: "a known operator", got: "Mod" });
    return { run: async () => ({}), dispose: async () => undefined };
  };
}

async function choose(options: RuntimeOptions, on: Machine) {
  const { engines, log } = machine(on);
  const notes: string[] = [];
  const runtime = await chooseRuntime({ onNote: (text) => notes.push(text), ...options }, engines);
  return { chosen: `${runtime.name} ${runtime.precision}`, runtime, notes, log };
}

const ALL: Times = { "onnxruntime f32": 10, "openvino f32": 8, "openvino bf16": 4 };

describe("auto", () => {
  test("takes the faster engine, and bf16 only where any precision will do", async () => {
    expect((await choose({ runtime: "auto" }, { times: ALL })).chosen).toBe("openvino f32");
    expect((await choose({ runtime: "auto", precision: "auto" }, { times: ALL })).chosen).toBe("openvino bf16");
    expect((await choose({ runtime: "auto", precision: "bf16" }, { times: ALL })).chosen).toBe("openvino bf16");
  });

  test("stays with ONNX Runtime where the other one is not clearly faster", async () => {
    const times = { ...ALL, "openvino f32": 9.7 };
    expect((await choose({ runtime: "auto" }, { times })).chosen).toBe("onnxruntime f32");
  });

  test("measures nothing where there is one engine, or where it is named", async () => {
    const alone = await choose({ runtime: "auto", precision: "auto" }, { times: ALL, installed: [ONNX] });
    expect(alone.log).toEqual(["open onnxruntime f32 2"]);
    const named = await choose({ runtime: "openvino" }, { times: ALL });
    expect(named.log).toEqual(["open openvino f32 2"]);
    expect((await choose({}, { times: ALL })).log).toEqual(["open onnxruntime f32 2"]);
    expect([...alone.notes, ...named.notes]).toEqual([]);
  });

  test("measures once for a machine and work, and says what was found", async () => {
    const first = await choose({ runtime: "auto" }, { times: ALL });
    expect(first.log).toContain("measure");
    expect(first.notes.join()).toMatch(
      /openvino 2.0 f32, by a measurement .* \(onnxruntime 1.0 f32 10 ms, openvino 2.0 f32 8 ms\)/,
    );
    // Numbers of now would choose otherwise: those that were kept do.
    const again = await choose({ runtime: "auto" }, { times: { "onnxruntime f32": 1, "openvino f32": 8 } });
    expect([again.chosen, again.log.includes("measure"), again.notes]).toEqual(["openvino f32", false, []]);
    const work = { hiddenSize: 312, intermediateSize: 1200, numAttentionHeads: 12, training: true };
    expect((await choose({ runtime: "auto", work }, { times: ALL })).log).toContain("measure");
    expect((await choose({ runtime: "auto", threads: 1 }, { times: ALL })).log).toContain("measure");
  });

  test("takes as many streams as are clearly faster, where that is left to it", async () => {
    const asked: RuntimeOptions = { runtime: "auto", streams: "auto" };
    const { runtime, notes, log } = await choose(asked, { times: { ...ALL, "openvino f32 x 2": 6 } });
    expect([runtime.name, runtime.streams]).toEqual(["openvino", 2]);
    expect(notes.join()).toMatch(/engine: openvino 2.0 f32 in 2 streams, .* openvino 2.0 f32 in 2 streams 6 ms\)/);
    expect(log.at(-1)).toBe("open onnxruntime f32 2");
    expect(log.at(-2)).toBe("open openvino f32 2 in 2 streams");
    const alike = await choose({ ...asked, threads: 1 }, { times: ALL });
    expect(alike.runtime.streams).toBe(1);
    expect(alike.notes.join()).not.toContain("streams");
  });

  test("a named engine with nothing to choose from is taken as it is", async () => {
    for (const name of ["onnxruntime", "webgpu"] as const) {
      const times = { [`${name} f32`]: 10 };
      const { chosen, log } = await choose({ runtime: name, precision: "auto", streams: "auto" }, { times });
      expect([chosen, log]).toEqual([`${name} f32`, expect.arrayContaining([`open ${name} f32 2`])]);
      expect(log).not.toContain("measure");
    }
  });

  test("takes the engine that computes in as many streams as are asked for", async () => {
    const { runtime } = await choose({ runtime: "auto", streams: 2 }, { times: { "openvino f32": 8 } });
    expect([runtime.name, runtime.streams]).toEqual(["openvino", 2]);
    const left = await choose({ runtime: "auto", precision: "auto" }, { times: ALL });
    expect(left.runtime.streams).toBe(1);
  });

  test("keeps nothing of a machine that is too busy to be measured", async () => {
    await choose({ runtime: "auto" }, { times: ALL, isSteady: false });
    expect(await readdir(cacheFolder)).toEqual([]);
  });

  test("keeps what was measured beside other programs for an hour", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    try {
      const { notes } = await choose({ runtime: "auto" }, { times: ALL, isBusy: true });
      expect(notes.join()).toContain("kept for an hour, since other programs run");
      const measuredAfter = async (minutes: number) => {
        vi.setSystemTime(Date.now() + 60_000 * minutes);
        return (await choose({ runtime: "auto" }, { times: ALL })).log.includes("measure");
      };
      // The one after 61 minutes is alone, and kept for longer.
      expect([await measuredAfter(50), await measuredAfter(11), await measuredAfter(61)]).toEqual([false, true, false]);
    } finally {
      vi.useRealTimers();
    }
  });

  test("goes on without an engine that does not open, and disposes of what was measured", async () => {
    const { chosen, log } = await choose(
      { runtime: "auto" },
      { times: { ...ALL, "openvino f32": new Error("no TBB") } },
    );
    expect(chosen).toBe("onnxruntime f32");
    expect(log.filter((line) => line.startsWith("dispose"))).toEqual(["dispose onnxruntime f32"]);
  });

  test("says that an engine which is there cannot be used, and why", async () => {
    const { chosen, notes } = await choose({ runtime: "auto" }, { times: ALL, installed: [ONNX, BROKEN] });
    expect([chosen, notes]).toEqual([
      "onnxruntime f32",
      ["warning: an engine cannot be used. openvino: /lib/x.so: no TBB"],
    ]);
    // Who names another engine needs it not.
    expect((await choose({ runtime: "onnxruntime" }, { times: ALL, installed: [ONNX, BROKEN] })).notes).toEqual([]);
  });

  test("leaves bf16 out where the processor or the engine has none", async () => {
    const missing = await choose({ runtime: "auto", precision: "auto" }, { times: ALL, processor: WITHOUT_BF16 });
    expect(missing.chosen).toBe("openvino f32");
    const unknown: Processor = { ...WITH_BF16, model: "Q", features: undefined };
    const imitated = await choose(
      { runtime: "auto", precision: "auto" },
      { times: ALL, processor: unknown, only: "f32" },
    );
    expect(imitated.notes.join()).toMatch(/openvino 2.0 bf16 failed \(computes in f32 here\)/);
  });

  test("lets ONNX Runtime compute a graph that the engine refuses, and says so; a named engine does not", async () => {
    const x = input("x", "float32", [1]);
    const graph = buildGraph({ y: mul(x, x) });
    const auto = await choose({ runtime: "auto" }, { times: ALL });
    await auto.runtime.compile(graph);
    expect(auto.notes.at(-1)).toMatch(/openvino refuses a graph, which onnxruntime computes .*Mod/);
    await auto.runtime.dispose();
    expect(auto.log.slice(-2)).toEqual(["dispose openvino f32", "dispose onnxruntime f32"]);
    const named = await choose({ runtime: "openvino" }, { times: ALL });
    await expect(named.runtime.compile(graph)).rejects.toThrow(/a known operator/);
  });
});

describe("measureChoices", () => {
  const work = { hiddenSize: 24, intermediateSize: 40, numAttentionHeads: 4, training: false };

  test("says what is taken in f32 and in any precision, and auto takes that without measuring", async () => {
    const { engines } = machine({ times: ALL });
    const { f32, auto, comparison } = await measureChoices(engines, work);
    expect([f32.runtime, f32.precision]).toEqual(["openvino", "f32"]);
    expect([auto.runtime, auto.precision]).toEqual(["openvino", "bf16"]);
    expect(comparison.times.map(({ milliseconds }) => milliseconds)).toEqual([10, 8, 8, 4, 4]);
    for (const precision of ["f32", "auto"] as const) {
      for (const streams of [1, "auto"] as const) {
        const { chosen, log } = await choose({ runtime: "auto", precision, streams, work }, { times: ALL });
        expect([chosen, log.includes("measure")]).toEqual([`openvino ${precision === "f32" ? "f32" : "bf16"}`, false]);
      }
    }
  });

  test("replaces what was measured before", async () => {
    await measureChoices(machine({ times: ALL }).engines, work);
    const now = { ...ALL, "openvino f32": 20, "openvino bf16": 20 };
    await measureChoices(machine({ times: now }).engines, work);
    expect((await choose({ runtime: "auto", precision: "auto", work }, { times: ALL })).chosen).toBe("onnxruntime f32");
  });
});

describe("precision and threads", () => {
  test("bf16 is said", async () => {
    const { notes } = await choose({ runtime: "openvino", precision: "bf16" }, { times: ALL });
    expect(notes).toEqual(["openvino 2.0 computes in bf16: results differ from those of f32 in the third digit"]);
  });

  test("f32 is used on a processor without bf16, and that is said", async () => {
    const { chosen, notes } = await choose(
      { runtime: "openvino", precision: "bf16" },
      { times: ALL, processor: WITHOUT_BF16 },
    );
    expect([chosen, notes]).toEqual(["openvino f32", ["this processor (P) does not multiply bf16: f32 is used"]]);
  });

  test("more threads than processors are a warning", async () => {
    const { runtime, notes } = await choose({ threads: 8 }, { times: ALL });
    expect(runtime.threads).toBe(8);
    expect(notes.join()).toMatch(/^warning: 8 threads on 2 processors/);
  });
});

describe("what cannot be", () => {
  const refused = (options: object, on: Machine = { times: ALL }) =>
    choose(options as RuntimeOptions, on).then(
      () => undefined,
      (error) => ({ type: error.constructor, message: error.message, hint: error.hint }),
    );

  test("names and threads that are none", async () => {
    expect(await refused({ runtime: "torch" })).toMatchObject({
      type: ArgumentError,
      message: /one of auto, onnxruntime/,
    });
    expect(await refused({ precision: "f64" })).toMatchObject({
      type: ArgumentError,
      message: /one of auto, f32, bf16/,
    });
    expect(await refused({ threads: 0 })).toMatchObject({
      type: ArgumentError,
      message: /a whole number in 1 .. 1024, got 0/,
    });
    expect(await refused({ threads: 1e9 })).toMatchObject({ type: ArgumentError, hint: /this machine runs 2 at once/ });
  });

  test("a precision that the engine or the model does not have says what to do", async () => {
    const ofOnnx = await refused({ runtime: "onnxruntime", precision: "bf16" });
    expect(ofOnnx).toMatchObject({
      type: ArgumentError,
      hint: /--runtime openvino computes in bf16; pip install openvino/,
    });
    expect(await refused({ precision: "int8" })).toMatchObject({ type: ArgumentError, hint: /zhbert quantize MODEL/ });
  });

  test("more streams than threads, or of an engine that computes one run at a time, are refused", async () => {
    const streams = (count: number) => ({ runtime: "openvino", streams: count }) as const;
    for (const count of [0, 1.5, 3, Number.NaN]) {
      expect(await refused(streams(count))).toMatchObject({ type: ArgumentError, message: /streams: .* in 1 \.\. 2/ });
    }
    const other = await refused({ runtime: "onnxruntime", streams: 2 });
    expect(other).toMatchObject({
      type: ArgumentError,
      message: /1 of onnxruntime, got 2/,
      hint: /--runtime openvino/,
    });
    const none = await refused({ runtime: "auto", streams: 2 }, { times: ALL, installed: [ONNX] });
    expect(none).toMatchObject({ type: RuntimeError, message: /in f32, 2 runs at a time, got none/ });
  });

  test("bf16 without OpenVINO says how to get it", async () => {
    const missing = await refused({ runtime: "auto", precision: "bf16" }, { times: ALL, installed: [ONNX] });
    expect(missing).toMatchObject({ type: RuntimeError, hint: /pip install openvino/ });
    const broken = await refused({ runtime: "auto", precision: "bf16" }, { times: ALL, installed: [ONNX, BROKEN] });
    expect(broken).toMatchObject({ type: RuntimeError, message: /in bf16, got openvino: \/lib\/x\.so: no TBB$/ });
  });

  test("no engine that does the work is an error that says why of each", () => {
    const times = [{ runtime: "onnxruntime", version: "1", precision: "f32", streams: 1, error: "broken" }] as const;
    expect(() => fastest(times)).toThrow(/onnxruntime: broken/);
  });
});

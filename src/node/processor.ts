/** What the processor can do, as the system tells it: the instructions that decide how fast matrix products are, and in which precision. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { arch, availableParallelism, cpus, platform } from "node:os";
import { ArgumentError } from "../errors.ts";

/** Instructions by their usual names, and the flags by which Linux (lower case) and macOS (hw.optional) list them. */
const FEATURES = {
  x64: {
    AVX2: ["avx2", "avx2_0"],
    "AVX-512": ["avx512f"],
    VNNI: ["avx512_vnni", "avx_vnni", "avx512vnni"],
    AVX512_BF16: ["avx512_bf16", "avx512bf16"],
    AMX: ["amx_tile"],
    "AMX bf16": ["amx_bf16"],
  },
  arm64: {
    NEON: ["asimd", "neon", "advsimd"],
    "dot products": ["asimddp", "arm.feat_dotprod"],
    I8MM: ["i8mm", "arm.feat_i8mm"],
    BF16: ["bf16", "arm.feat_bf16"],
  },
} as const;

/** Any of these computes products of bfloat16 itself. */
const BF16 = ["AVX512_BF16", "AMX bf16", "BF16"];

/** A processor as this process sees it. */
export interface Processor {
  readonly model: string;
  /** `x64`, `arm64`. */
  readonly architecture: string;
  /** How many threads can run at once. */
  readonly threads: number;
  /** Whether it has each instruction set; undefined where the system does not tell. */
  readonly features: Readonly<Record<string, boolean>> | undefined;
  /** Where the features are from. */
  readonly source?: string;
}

/** This machine's processor. */
export function readProcessor(): Processor {
  const found = readFlags();
  const features = found && featuresOf(arch(), found.flags);
  return {
    model: cpus()[0]?.model.trim() ?? "unknown",
    architecture: arch(),
    threads: availableParallelism(),
    features,
    ...(features && found ? { source: found.source } : {}),
  };
}

/** Whether a processor multiplies bfloat16 itself; undefined where that is not known. */
export function multipliesBf16({ features }: Processor): boolean | undefined {
  return features && BF16.some((name) => features[name]);
}

/** What is said where bfloat16 is asked for and a processor has none. */
export function withoutBf16({ model }: Processor): string {
  return `this processor (${model}) does not multiply bf16: f32 is used`;
}

/** More are a slip: engines start all of them at once, and what they say when that fails tells nobody why. */
const MOST_THREADS = 1024;

/**
 * The threads of an engine.
 * @param asked - all processors when left out.
 * @throws {ArgumentError} when it is no whole number, or more than engines can start.
 */
export function engineThreads(asked: number | undefined, processors = availableParallelism()): number {
  const most = Math.max(MOST_THREADS, processors);
  const threads = asked ?? processors;
  if (Number.isInteger(threads) && threads >= 1 && threads <= most) return threads;
  throw new ArgumentError({
    where: "threads",
    expected: `a whole number in 1 .. ${most}`,
    got: threads,
    hint: `this machine runs ${processors} at once; more are slower`,
  });
}

/** Runs at a time: as many as are asked for, or one. @throws {ArgumentError} when it is no whole number in 1 .. threads. */
export function engineStreams(asked: number | undefined, threads: number): number {
  const streams = asked ?? 1;
  if (Number.isInteger(streams) && streams >= 1 && streams <= threads) return streams;
  throw new ArgumentError({
    where: "streams",
    expected: `a whole number in 1 .. ${threads}, the threads`,
    got: streams,
    hint: "each stream has its share of the threads: take fewer, or more threads",
  });
}

/** Whether a processor may add products of uint8 and int8 up in 16 bits: those of x64 without VNNI do, as far as is known. */
export function saturatesInt8({ architecture, features }: Pick<Processor, "architecture" | "features">): boolean {
  return architecture === "x64" && features?.["VNNI"] !== true;
}

/**
 * Which instruction sets a list of flags names.
 * @param flags - what `linuxFlags` or `macFlags` found.
 * @returns undefined for an architecture whose sets are not known here, or without flags.
 */
export function featuresOf(architecture: string, flags: ReadonlySet<string>): Record<string, boolean> | undefined {
  const known = FEATURES[architecture as keyof typeof FEATURES];
  if (known === undefined || flags.size === 0) return undefined;
  return Object.fromEntries(
    Object.entries(known).map(([name, names]) => [name, (names as readonly string[]).some((flag) => flags.has(flag))]),
  );
}

/** The flags of /proc/cpuinfo: the line `flags` on x86, `Features` on ARM. */
export function linuxFlags(cpuinfo: string): Set<string> {
  const line = /^(?:flags|Features)\s*:(.*)$/m.exec(cpuinfo)?.[1] ?? "";
  return new Set(line.trim().split(/\s+/).filter(Boolean));
}

/** The flags of `sysctl hw.optional`, those with a 1, without the prefix and in lower case. */
export function macFlags(listing: string): Set<string> {
  return new Set([...listing.matchAll(/^hw\.optional\.(\S+): 1$/gm)].map(([, name = ""]) => name.toLowerCase()));
}

function readFlags(): { flags: Set<string>; source: string } | undefined {
  try {
    if (platform() === "linux") {
      return { flags: linuxFlags(readFileSync("/proc/cpuinfo", "utf8")), source: "/proc/cpuinfo" };
    }
    if (platform() === "darwin") {
      const listing = execFileSync("sysctl", ["hw.optional"], { encoding: "utf8", timeout: 5000 });
      return { flags: macFlags(listing), source: "sysctl hw.optional" };
    }
  } catch {
    // A container may hide it: then it is not known.
  }
  return undefined;
}

/** The machine that a result belongs to. */
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";

/** Processor, memory, system, and how busy it was. */
export interface Machine {
  readonly processor: string;
  readonly threads: number;
  readonly memoryGb: number;
  readonly system: string;
  readonly node: string;
  /** Of the last minute, before anything was started. */
  readonly load: number;
}

/** This machine, now. */
export function describeMachine(): Machine {
  const load = Math.round((loadavg()[0] as number) * 100) / 100;
  return {
    processor: [cpus()[0]?.model.trim() ?? "unknown", ...cpuFacts()].join(", "),
    threads: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    load,
  };
}

/** What decides the speed of matrix products where the model's name does not say it. */
function cpuFacts(): string[] {
  try {
    const text = readFileSync("/proc/cpuinfo", "utf8");
    const family = /^cpu family\s*: (\d+)$/m.exec(text)?.[1];
    const flags = new Set(/^flags\s*: (.+)$/m.exec(text)?.[1]?.split(" "));
    const widest = ["amx_bf16", "avx512_bf16", "avx512f", "avx2"].find((flag) => flags.has(flag));
    return [...(family ? [`family ${family}`] : []), ...(widest ? [widest] : [])];
  } catch {
    return [];
  }
}

/** One line for people. */
export function machineLine({ processor, threads, memoryGb, system, node, load }: Machine): string {
  return `${processor}; ${threads} threads, ${memoryGb} GB; ${system}, Node.js ${node}; load ${load}`;
}

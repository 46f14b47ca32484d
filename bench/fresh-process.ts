/** Work in a fresh process of Node.js each time, so that its memory is its own; and what such a process tells of itself. */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import type { Facts } from "./bench.ts";

/**
 * Runs Node.js with arguments to its end.
 * @returns the JSON object in the last line of its output.
 * @throws {Error} with its complaint when it fails.
 */
export async function runFresh(args: readonly string[]): Promise<Facts> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  const texts = [child.stdout, child.stderr].map(async (stream) => {
    let text = "";
    for await (const chunk of stream) text += chunk;
    return text;
  });
  const status = await new Promise((resolve) => child.once("close", resolve));
  const [stdout, stderr] = await Promise.all(texts);
  if (status !== 0) throw new Error(`node ${args.join(" ")} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout?.trim().split("\n").at(-1) ?? "{}") as Facts;
}

/** A field of this process's memory in MiB, as Linux has it: VmRSS, VmHWM, RssAnon. */
export function memoryMb(field: string): number {
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync("/proc/self/status", "utf8"))?.[1];
  return Number(kilobytes) / 1024;
}

/** Lets the high-water mark of this process's memory begin anew. */
export function resetHighWaterMark(): void {
  writeFileSync("/proc/self/clear_refs", "5");
}

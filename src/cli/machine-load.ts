/** Whether a machine that is measured does other work. */
import { loadavg } from "node:os";
import type { Output } from "./command.ts";

/** Warns where other programs run: measurements say what is left of the machine. */
export function noteLoad(output: Output, threads: number): void {
  const [load = 0] = loadavg();
  if (load < threads / 2) return;
  output.note(`warning: other programs run here (load ${load.toFixed(1)}); on a machine of its own it is faster`);
}

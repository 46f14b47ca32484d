/**
 * Names of unfinished files, which say whose they are, so that what a killed process left can be told from the files of
 * one that still works.
 */
import { createHash, randomBytes } from "node:crypto";
import { readdir, stat, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";

const TEMPORARY = /^\.([0-9a-f]{8})-(\d+)-[0-9a-f]{16}\.zhbert-tmp$/;
/** How far the clock of a file server may be behind ours. */
const CLOCK_TOLERANCE_MS = 60_000;

/** Process numbers mean something on one machine only; folders can be shared by several. */
const host = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);

/** A name for an unfinished file of this process, like no other. */
export function temporaryName(): string {
  return `.${host}-${process.pid}-${randomBytes(8).toString("hex")}.zhbert-tmp`;
}

const cleaned = new Set<string>();

/** Removes the unfinished files of processes of this machine that are gone; looks into a folder once in a process. */
export async function removeAbandoned(folder: string): Promise<void> {
  if (cleaned.has(folder)) return;
  cleaned.add(folder);
  // A folder that cannot be listed can still be written to, and another process may clean it at the same time.
  const names = await readdir(folder).catch(() => []);
  for (const name of names) {
    const path = join(folder, name);
    if (await isAbandoned(path, name)) await unlink(path).catch(() => undefined);
  }
}

async function isAbandoned(path: string, name: string): Promise<boolean> {
  const [, madeOn, madeBy] = TEMPORARY.exec(name) ?? [];
  if (madeOn !== host) return false;
  if (Number(madeBy) !== process.pid) return !isRunning(Number(madeBy));
  // Our own number, as containers give it to each run of a program: ours are younger than we are.
  const startedAt = Date.now() - 1000 * process.uptime();
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && found.mtimeMs < startedAt - CLOCK_TOLERANCE_MS;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

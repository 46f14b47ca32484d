/** What was measured on this machine, kept in the user's cache folder so that it is measured once. */
import { createHash } from "node:crypto";
import { homedir, platform } from "node:os";
import { join } from "node:path";
import { readText, writeFileAtomic } from "./files.ts";

/** Systems are updated, and a machine may have been busy: after so long a measurement is made anew. */
const MAX_AGE_MS = 7 * 24 * 3600 * 1000;

/** The same of what was measured while other programs ran, which slow some engines down more than others. */
const MAX_BUSY_AGE_MS = 3600 * 1000;

/** The folder of zhbert's own cache: in XDG_CACHE_HOME where that is set, else where the system keeps caches. */
export function machineCacheFolder(): string {
  const { XDG_CACHE_HOME: xdg, LOCALAPPDATA: local } = process.env;
  if (xdg) return join(xdg, "zhbert");
  if (platform() === "win32") return join(local || join(homedir(), "AppData", "Local"), "zhbert", "cache");
  return platform() === "darwin" ? join(homedir(), "Library", "Caches", "zhbert") : join(homedir(), ".cache", "zhbert");
}

/** What is measured, and what the result depends on. */
export interface Measured<Value> {
  /** The first part of the file's name: `peak`. */
  readonly kind: string;
  /** Everything that another result would come from; it is written beside the result. */
  readonly key: object;
  /** Whether what a file holds is a result. */
  readonly isValid: (value: unknown) => value is Value;
  /** Where files lie; the machine's when left out. */
  readonly folder?: string;
}

/**
 * A result that was measured before under the same key, not long ago.
 * @returns undefined where there is none.
 */
export async function recall<Value>({ kind, key, isValid, folder }: Measured<Value>): Promise<Value | undefined> {
  try {
    const { measured, busy, value } = JSON.parse(await readText(fileOf(kind, key, folder)));
    const age = Date.now() - Date.parse(measured);
    const isFresh = age >= 0 && age < (busy === true ? MAX_BUSY_AGE_MS : MAX_AGE_MS);
    return isFresh && isValid(value) ? value : undefined;
  } catch {
    // Not measured yet, or no such file as ours.
    return undefined;
  }
}

/**
 * Keeps a result; where no file can be written it is measured anew another time.
 * @param busy - whether other programs ran meanwhile: it is not kept for long then.
 */
export async function remember<Value>(
  { kind, key, folder }: Measured<Value>,
  value: Value,
  busy = false,
): Promise<void> {
  const text = `${JSON.stringify({ measured: new Date().toISOString(), busy, key, value }, undefined, 2)}\n`;
  await writeFileAtomic(fileOf(kind, key, folder), text).catch(() => undefined);
}

function fileOf(kind: string, key: object, folder = machineCacheFolder()): string {
  const digest = createHash("sha256").update(JSON.stringify(key)).digest("hex").slice(0, 16);
  return join(folder, `${kind}-${digest}.json`);
}

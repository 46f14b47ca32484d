/** A lock on the folder where data are made: held by one process, and free again when that process is gone. */
import { randomBytes } from "node:crypto";
import { link, readFile, rename, unlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { FileError, verbatim } from "../errors.ts";
import { fileError } from "./files.ts";

const LOCK_FILE = "lock";
/** Tries to get a lock that others give up or take over at the same time. */
const ATTEMPTS = 5;

/** The locks of this process, by path. */
const held = new Set<string>();

interface Holder {
  readonly host: string;
  readonly pid: number;
  readonly since: string;
}

/**
 * Takes the lock of a folder; one whose process has ended is taken over.
 * @returns a function that gives it up.
 * @throws {FileError} when another process holds it.
 */
export async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = join(folder, LOCK_FILE);
  const own = join(folder, `.lock-${process.pid}-${randomBytes(8).toString("hex")}.zhbert-tmp`);
  const holder: Holder = { host: hostname(), pid: process.pid, since: new Date().toISOString() };
  try {
    await writeFile(own, JSON.stringify(holder));
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      // A link appears whole or not at all, and never in another's place.
      if (await isMade(link(own, path))) {
        held.add(path);
        return async () => {
          held.delete(path);
          await unlink(path).catch(() => undefined);
        };
      }
      await removeStale(path);
    }
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw fileError(path, "a lock that can be taken", error);
  } finally {
    await unlink(own).catch(() => undefined);
  }
  throw locked(path, undefined);
}

async function isMade(linking: Promise<void>): Promise<boolean> {
  try {
    await linking;
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Takes the lock of a process that is gone out of the way. @throws {FileError} when the process may still run. */
async function removeStale(path: string): Promise<void> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  if (text === undefined) return;
  const holder = parse(text);
  if (holder === undefined || holder.host !== hostname() || isAlive(holder.pid, path)) throw locked(path, holder);
  const aside = `${path}-${randomBytes(8).toString("hex")}.zhbert-tmp`;
  if (
    !(await rename(path, aside).then(
      () => true,
      () => false,
    ))
  )
    return;
  // Another process may have taken over in between: then this was its lock, and it gets it back.
  if ((await readFile(aside, "utf8").catch(() => text)) !== text) await link(aside, path).catch(() => undefined);
  await unlink(aside).catch(() => undefined);
}

function parse(text: string): Holder | undefined {
  try {
    const { host, pid, since } = JSON.parse(text) as Holder;
    return typeof host === "string" && Number.isInteger(pid) ? { host, pid, since } : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number, path: string): boolean {
  // Our own number, where we do not hold the lock: containers give each run of a program the same one.
  if (pid === process.pid) return held.has(path);
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}

function locked(path: string, holder: Holder | undefined): FileError {
  const who = holder === undefined ? "another run" : `process ${holder.pid} on ${holder.host}, since ${holder.since}`;
  return new FileError({
    where: path,
    expected: "no other run that writes here",
    got: verbatim(who),
    hint: "wait for it or stop it, or name another output; if it is gone for certain, remove this file",
  });
}

/** Shared libraries that are whole, cut off or made to mislead; and what lies beside libraries and is none. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { isCutOff } from "./elf.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-elf-"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Header {
  readonly offset?: bigint;
  readonly entryBytes?: number;
  readonly entries?: number;
  readonly fileBytes?: bigint;
}

/** A file of 200 bytes: the header, and one segment that is to be loaded, of 100 bytes from 100 on. */
function library({ offset = 64n, entryBytes = 56, entries = 1, fileBytes = 100n }: Header = {}): string {
  const bytes = Buffer.alloc(200);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  bytes.writeBigUInt64LE(offset, 32);
  bytes.writeUInt16LE(entryBytes, 54);
  bytes.writeUInt16LE(entries, 56);
  bytes.writeUInt32LE(1, 64);
  bytes.writeBigUInt64LE(100n, 64 + 8);
  bytes.writeBigUInt64LE(fileBytes, 64 + 32);
  const path = join(folder, "libtbb.so");
  writeFileSync(path, bytes);
  return path;
}

test("a library that is whole, and one whose segment or table lies beyond the end", () => {
  expect(isCutOff(library())).toBe(false);
  expect(isCutOff(library({ fileBytes: 101n }))).toBe(true);
  expect(isCutOff(library({ fileBytes: 2n ** 64n - 1n }))).toBe(true);
  expect(isCutOff(library({ offset: 145n }))).toBe(true);
  expect(isCutOff(library({ offset: 2n ** 64n - 1n }))).toBe(true);
  expect(isCutOff(library({ entries: 0xffff }))).toBe(true);
});

test("a table whose entries have another size is of no library", () => {
  expect(isCutOff(library({ entryBytes: 0xffff, entries: 0xffff }))).toBe(false);
  expect(isCutOff(library({ entryBytes: 0, entries: 0xffff }))).toBe(false);
});

test("folders, links to nothing and pipes are passed over", () => {
  const [below, link, pipe] = [join(folder, "below"), join(folder, "link"), join(folder, "pipe")];
  mkdirSync(below);
  symlinkSync(join(folder, "nowhere"), link);
  expect([isCutOff(below), isCutOff(link)]).toEqual([false, false]);
  if (spawnSync("mkfifo", [pipe]).status === 0) expect(isCutOff(pipe)).toBe(false);
});

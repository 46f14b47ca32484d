/** Mapped files: what is read is the file, only within it, and the source outlives the file's name. */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { CheckpointError, FileError } from "../errors.ts";
import { forgetMappedPages, mapFile, openFileSource } from "./memory-map.ts";

const folder = mkdtempSync(join(tmpdir(), "zhbert-map-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, bytes: Uint8Array): string {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
}

const content = Uint8Array.from({ length: 10_000 }, (_, i) => i % 251);

test("ranges of a mapped file are views of one memory, and equal the file", () => {
  const source = mapFile(file("a", content));
  expect(source.size).toBe(content.length);
  expect(source.slice(4090, 4110)).toEqual(content.slice(4090, 4110));
  expect(source.slice(0, 0)).toHaveLength(0);
  // Ranged reads, where there is no map, give memory of their own each time.
  if (process.platform === "linux") expect(source.slice(0, 8).buffer).toBe(source.slice(100, 108).buffer);
});

test("a range that leaves the file is refused", () => {
  const source = mapFile(file("b", content));
  for (const [begin, end] of [
    [0, 10_001],
    [-1, 4],
    [5, 4],
    [0.5, 2],
    [Number.NaN, 3],
  ] as const) {
    expect(() => source.slice(begin, end)).toThrow(CheckpointError);
  }
});

test("a file may lose its name while it is read; writing to the memory does not reach the file", () => {
  const path = file("c", content);
  const [first, second] = [mapFile(path), mapFile(path)];
  first.slice(0, 1)[0] = 77;
  expect(second.slice(0, 1)[0]).toBe(content[0]);
  unlinkSync(path);
  expect(second.slice(9_999, 10_000)).toEqual(content.slice(9_999));
});

/** Bytes of files that count as this process's memory. */
function residentFileBytes(): number {
  return Number(/RssFile:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1]) * 1024;
}

test.skipIf(process.platform !== "linux")(
  "pages that were read may be forgotten, and come back; written ones stay",
  () => {
    const [pages, page] = [8192, 4096];
    const bytes = mapFile(file("pages", new Uint8Array(pages * page).fill(7))).slice(0, pages * page);
    const firstOfPages = () => Array.from({ length: pages }, (_, i) => bytes[i * page]).join("");
    bytes[page] = 8;
    const expected = `78${"7".repeat(pages - 2)}`;
    const before = residentFileBytes();
    expect(firstOfPages()).toBe(expected);
    const read = residentFileBytes();
    expect(read - before).toBeGreaterThan(24 * 2 ** 20);
    forgetMappedPages();
    expect(read - residentFileBytes()).toBeGreaterThan(24 * 2 ** 20);
    expect(firstOfPages()).toBe(expected);
  },
);

test("a file larger than any buffer is mapped in windows; ranges may cross them", () => {
  const path = file("large", new Uint8Array(0));
  const [size, border] = [2 ** 32 + 100, 2 ** 31];
  const handle = openSync(path, "r+");
  // Sparse: only these bytes take room on the disk.
  for (const at of [0, border - 4, 2 ** 32 + 92]) writeSync(handle, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 0, 8, at);
  closeSync(handle);
  const source = mapFile(path);
  expect(source.size).toBe(size);
  expect(source.slice(border - 4, border + 4)).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  expect(source.slice(border, border + 2)).toEqual(Uint8Array.of(5, 6));
  expect(source.slice(size - 8, size)).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
  expect(source.slice(size, size)).toHaveLength(0);
  expect(() => source.slice(size - 1, size + 1)).toThrow(CheckpointError);
});

test.skipIf(process.platform === "win32")("a pipe, a folder and a device are errors, and nobody waits for them", () => {
  const pipe = join(folder, "pipe");
  execFileSync("mkfifo", [pipe]);
  for (const path of [pipe, folder, "/dev/null"]) {
    expect(() => mapFile(path)).toThrow(/expected a file, got a folder, a pipe or a device/);
  }
});

test("an empty file is empty; a missing one is an error", () => {
  expect(mapFile(file("d", new Uint8Array(0))).slice(0, 0)).toHaveLength(0);
  expect(() => mapFile(join(folder, "missing"))).toThrow(FileError);
});

test("an open file is read mapped or by range, and no more once it is closed", () => {
  const path = file("e", content);
  for (const access of ["mapped", "ranged"] as const) {
    const source = openFileSource(path, access);
    expect(source.slice(4090, 4110)).toEqual(content.slice(4090, 4110));
    expect(() => source.slice(9_000, 10_001)).toThrow(CheckpointError);
    source.close();
    source.close();
    expect(() => source.slice(0, 1)).toThrow("expected a file that is open, got one that was closed");
  }
  const source = openFileSource(path);
  const isView = source.slice(0, 8).buffer === source.slice(100, 108).buffer;
  if (process.platform === "linux") expect(isView).toBe(true);
  source.close();
  expect(openFileSource(file("f", new Uint8Array(0))).size).toBe(0);
  expect(() => openFileSource(folder)).toThrow(/expected a file, got a folder/);
});

test("a file cut short while it is mapped is an error, where touching its pages would end the process", () => {
  const path = file("g", new Uint8Array(1 << 16).fill(7));
  const source = openFileSource(path);
  expect(source.slice(60_000, 60_001)[0]).toBe(7);
  truncateSync(path, 100);
  expect(() => source.slice(60_000, 60_001)).toThrow(FileError);
  expect(() => source.slice(0, 10)).toThrow(`${path}: expected 65536 bytes, as when it was opened, got 100`);
  source.close();
});

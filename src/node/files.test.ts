import { spawn, spawnSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FileError, InterruptedError } from "../errors.ts";
import { createAtomicFile, fileError, makeFolder, readBytes, readText, writeFileAtomic } from "./files.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-files-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bytes = (text: string) => new TextEncoder().encode(text);

describe("makeFolder", () => {
  test("makes what is missing and tells the outermost of it", async () => {
    expect(await makeFolder(join(folder, "a", "b", "c"))).toBe(join(folder, "a"));
    expect(await makeFolder(join(folder, "a", "b"))).toBeUndefined();
    expect(statSync(join(folder, "a", "b", "c")).isDirectory()).toBe(true);
  });

  test("fails over a file, and in a file system that takes no folders", async () => {
    writeFileSync(join(folder, "file"), "");
    await expect(makeFolder(join(folder, "file"))).rejects.toThrow("EEXIST");
    await expect(makeFolder(join(folder, "file", "a"))).rejects.toThrow("ENOTDIR");
    if (existsSync("/proc/self")) await expect(makeFolder("/proc/zhbert/a")).rejects.toThrow("ENOENT");
  });
});

describe("writeFileAtomic", () => {
  test("writes text, bytes, chunks and streams, and makes the folder", async () => {
    async function* stream() {
      yield bytes("一");
      yield bytes("二");
    }
    const path = join(folder, "a", "b.txt");
    for (const content of ["一二", bytes("一二"), [bytes("一"), bytes("二")], stream()]) {
      await writeFileAtomic(path, content);
      expect(readFileSync(path, "utf8")).toBe("一二");
    }
    expect(readdirSync(join(folder, "a"))).toEqual(["b.txt"]);
  });

  test("writes small and large chunks in order, over a buffer that is used again", async () => {
    const path = join(folder, "x.bin");
    const sizes = [1, 100_000, 200_000, 262_144, 3, 262_145, 1_000_000, 5];
    async function* chunks() {
      const buffer = new Uint8Array(1_000_000);
      for (const [i, size] of sizes.entries()) yield buffer.subarray(0, size).fill(i + 1);
    }
    await writeFileAtomic(path, chunks());
    const expected = sizes.flatMap((size, i) => new Array<number>(size).fill(i + 1));
    expect(readFileSync(path).equals(Uint8Array.from(expected))).toBe(true);
  });

  test("keeps a link a link and a mode a mode, and never replaces a device or a pipe", async () => {
    const path = join(folder, "real.txt");
    writeFileSync(path, "old", { mode: 0o600 });
    symlinkSync("real.txt", join(folder, "link.txt"));
    await writeFileAtomic(join(folder, "link.txt"), "new");
    expect(lstatSync(join(folder, "link.txt")).isSymbolicLink()).toBe(true);
    expect(readFileSync(path, "utf8")).toBe("new");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    spawnSync("mkfifo", [join(folder, "pipe")]);
    const reader = spawn("cat", [join(folder, "pipe")]);
    const read = new Promise((done) => reader.stdout.once("data", (data) => done(String(data))));
    await writeFileAtomic(join(folder, "pipe"), "through");
    expect(await read).toBe("through");
    expect(lstatSync(join(folder, "pipe")).isFIFO()).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(["link.txt", "pipe", "real.txt"]);
  });

  test("a failure in the middle leaves the old file and no temporary", async () => {
    const path = join(folder, "old.txt");
    writeFileSync(path, "旧的内容");
    async function* failing() {
      yield bytes("新的");
      expect(readdirSync(folder)).toHaveLength(2);
      throw new Error("source broke");
    }
    await expect(writeFileAtomic(path, failing())).rejects.toThrow("source broke");
    expect(readFileSync(path, "utf8")).toBe("旧的内容");
    expect(readdirSync(folder)).toEqual(["old.txt"]);
  });

  test("an abort in the middle leaves the old file and no temporary", async () => {
    const path = join(folder, "old.txt");
    writeFileSync(path, "旧的内容");
    const controller = new AbortController();
    async function* interrupted() {
      yield bytes("新的");
      controller.abort();
      yield bytes("内容");
    }
    await expect(writeFileAtomic(path, interrupted(), controller.signal)).rejects.toThrow(InterruptedError);
    expect(readFileSync(path, "utf8")).toBe("旧的内容");
    expect(readdirSync(folder)).toEqual(["old.txt"]);
  });

  test("a name that is a folder, or lies below a file, is a FileError with a hint", async () => {
    mkdirSync(join(folder, "taken"));
    writeFileSync(join(folder, "taken", "x"), "");
    writeFileSync(join(folder, "file"), "");
    await expect(writeFileAtomic(join(folder, "taken"), "x")).rejects.toThrow(FileError);
    await expect(writeFileAtomic(join(folder, "file", "x"), "x")).rejects.toMatchObject({ hint: /path|name/ });
    expect(readdirSync(folder).sort()).toEqual(["file", "taken"]);
  });

  test("a full disk is a FileError that says so", async () => {
    // /dev/full refuses every write with ENOSPC; the same code reaches the writer through fileError.
    const error = fileError("out.bin", "a file that can be written", Object.assign(new Error("x"), { code: "ENOSPC" }));
    expect(error.message).toBe("out.bin: expected a file that can be written, got a full disk");
    const rare = fileError("x", "a file", Object.assign(new Error("y"), { code: "ENXIO" }));
    expect(rare.message).toBe("x: expected a file, got an error of the system (ENXIO)");
    expect(error.hint).toContain("disk is full");
  });
});

test("createAtomicFile keeps the old file until commit", async () => {
  const path = join(folder, "x.bin");
  writeFileSync(path, "old");
  const file = await createAtomicFile(path);
  await file.write(bytes("new"));
  expect(file.bytesWritten).toBe(3);
  expect(readFileSync(path, "utf8")).toBe("old");
  await file.commit();
  await file.abort();
  expect(readFileSync(path, "utf8")).toBe("new");
  expect(readdirSync(folder)).toEqual(["x.bin"]);
});

test("a process that ends early removes its temporary", () => {
  const files = fileURLToPath(new URL("./files.ts", import.meta.url));
  const script = `const { createAtomicFile } = await import(${JSON.stringify(files)});
    const file = await createAtomicFile(${JSON.stringify(join(folder, "x.bin"))});
    await file.write(new Uint8Array(10));
    process.exit(3);`;
  const child = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script], {
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
    encoding: "utf8",
  });
  expect(child.status, child.stderr).toBe(3);
  expect(readdirSync(folder)).toEqual([]);
});

test("readBytes gives every byte, of an empty file, a large one, and what has no size", async () => {
  const path = join(folder, "x.bin");
  for (const size of [0, 1, 3_000_001]) {
    const content = Uint8Array.from({ length: size }, (_, i) => (i * 7) % 251);
    writeFileSync(path, content);
    expect(Buffer.compare(await readBytes(path), content)).toBe(0);
  }
  if (existsSync("/proc/self/status")) {
    expect(new TextDecoder().decode(await readBytes("/proc/self/status"))).toMatch(/^Name:/);
  }
});

test("readBytes and readText name the missing file and the wrong encoding", async () => {
  const missing = join(folder, "missing.txt");
  await expect(readBytes(missing)).rejects.toThrow(
    `${missing}: expected a file that can be read, got no such file or folder`,
  );
  const path = join(folder, "gbk.txt");
  writeFileSync(path, Uint8Array.of(0xc4, 0xe3, 0xba, 0xc3));
  await expect(readText(path)).rejects.toMatchObject({ code: "ERR_FILE", hint: /iconv/ });
  writeFileSync(path, "\ufeff你好");
  expect(await readText(path)).toBe("你好");
});

describe("AtomicFile.patch", () => {
  test("writes over what is buffered or on the disk, and the end stays the end", async () => {
    const path = join(folder, "counted.bin");
    const file = await createAtomicFile(path);
    await file.write(bytes("????:"));
    await file.write(bytes("一二"));
    await file.patch(0, bytes("0002"));
    await file.write(bytes("三"));
    await file.patch(3, bytes("3"));
    expect(file.bytesWritten).toBe(14);
    await file.commit();
    expect(readFileSync(path, "utf8")).toBe("0003:一二三");
  });
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CorpusError } from "../errors.ts";
import { openCorpus } from "./corpus.ts";
import { unpack } from "./data-unpack.ts";

const text = "山里的小路一直通到水边。\n\n老人坐在门口喝茶。\n";
const lines = text.split("\n").slice(0, -1);
const base64 = (digits: string) => Buffer.from(digits, "base64");
// The text as xz and zstd pack it.
const packed: Readonly<Record<string, Buffer>> = {
  gz: gzipSync(text),
  xz: base64(
    "/Td6WFoAAATm1rRGAgAhARYAAAB0L+WjAQBB5bGx6YeM55qE5bCP6Lev5LiA55u06YCa5Yiw5rC06L6544CCCgrogIHkurrlnZDlnKjpl6jlj6Pllp3ojLbjgIIKAAAAC+KEkDMYV60AAVpCSSAA+B+2830BAAAAAARZWg==",
  ),
  zst: base64(
    "KLUv/SRCEQIA5bGx6YeM55qE5bCP6Lev5LiA55u06YCa5Yiw5rC06L6544CCCgrogIHkurrlnZDlnKjpl6jlj6Pllp3ojLbjgIIKYXUoXA==",
  ),
};
const withSha256 = base64(
  "/Td6WFoAAArh+wyhAgAhARYAAAB0L+WjAQBB5bGx6YeM55qE5bCP6Lev5LiA55u06YCa5Yiw5rC06L6544CCCgrogIHkurrlnZDlnKjpl6jlj6Pllp3ojLbjgIIKAAAApTKamuBVr/u9OTwG2Z95TnBPu2xl+QHSYmOI17EU7+YAAXJC445dpRibS5oBAAAAAApZWg==",
);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-unpack-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function read(name: string, content: Uint8Array): Promise<string[]> {
  const path = join(folder, name);
  writeFileSync(path, content);
  const corpus = await openCorpus([path]);
  const read: string[] = [];
  for await (const group of corpus.read()) read.push(...group);
  const bytes: Uint8Array[] = [];
  for await (const chunk of corpus.chunks()) bytes.push(chunk.bytes);
  expect(Buffer.concat(bytes).toString()).toBe(read.map((line) => `${line}\n`).join(""));
  return read;
}

describe.each(["gz", "xz", "zst"])("a .%s file", (ending) => {
  const content = packed[ending] as Buffer;

  test("is read as what is in it", async () => {
    expect(await read(`a.${ending}`, content)).toEqual(lines);
    expect(await read(`A.${ending.toUpperCase()}`, content)).toEqual(lines);
  });

  test("of several parts is all of them", async () => {
    const count = 3000;
    const all = await read(`a.${ending}`, Buffer.concat(Array.from({ length: count }, () => content)));
    expect(all).toHaveLength(count * lines.length);
  });

  test("cut short anywhere is an error, not less text", async () => {
    for (let length = ending === "zst" ? 1 : 0; length < content.length; length += 5) {
      await expect(read(`a.${ending}`, content.subarray(0, length))).rejects.toThrow(CorpusError);
    }
  });

  test("that is another file is an error that names it", async () => {
    await expect(read(`a.${ending}`, Buffer.from(text))).rejects.toThrow(
      `a.${ending}: expected a whole .${ending} file, got `,
    );
  });

  test("can be left before its end, and others read after it", async () => {
    const many = Buffer.concat(Array.from({ length: 3000 }, () => content));
    async function* source() {
      for (let at = 0; at < many.length; at += 1000) yield many.subarray(at, at + 1000);
    }
    for await (const bytes of unpack(`a.${ending}`, source())) if (bytes.length > 0) break;
    expect(await read(`a.${ending}`, content)).toEqual(lines);
  });

  test("that cannot be read further fails with the reason", async () => {
    async function* source() {
      yield content.subarray(0, 10);
      throw new Error("the disk is gone");
    }
    const reading = async () => {
      for await (const _ of unpack(`a.${ending}`, source()));
    };
    await expect(reading()).rejects.toThrow("the disk is gone");
  });
});

test("what is not supported is said", async () => {
  await expect(read("a.xz", withSha256)).rejects.toThrow("SHA-256");
  // A frame that asks for a window of 1 GiB, and one whose single segment is 2 GiB.
  const magic = [0x28, 0xb5, 0x2f, 0xfd];
  for (const frame of [
    [0x00, 20 << 3],
    [0xa0, 0, 0, 0, 0x80],
  ]) {
    const bytes = Uint8Array.of(...magic, ...frame, ...new Uint8Array(20));
    await expect(read("a.zst", bytes)).rejects.toThrow("a window of more than 128 MiB");
  }
});

test("a bomb is unpacked piece by piece", async () => {
  // Blocks of Zstandard that are 128 KiB of one byte in four bytes each.
  const blocks = Array.from({ length: 2000 }, () => [0x02, 0x00, 0x10, 0x61]).flat();
  const bomb = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38, ...blocks, 0x01, 0x00, 0x00);
  async function* source() {
    yield bomb;
  }
  const before = process.memoryUsage().arrayBuffers;
  let [total, most] = [0, 0];
  for await (const bytes of unpack("a.zst", source())) {
    total += bytes.length;
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  }
  expect(total).toBe(2000 * 131072);
  expect(most).toBeLessThan(150e6);
});

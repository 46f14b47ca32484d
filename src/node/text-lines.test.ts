/** Lines of files that are packed or in another encoding, and their number. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CorpusError } from "../errors.ts";
import { openTextLines, type TextLineOptions } from "./text-lines.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-lines-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function read(name: string, bytes: Uint8Array, options: TextLineOptions = {}) {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  const { count, lines } = await openTextLines(path, options);
  const read: string[] = [];
  for await (const line of lines) read.push(line);
  return { count, read };
}

const text = "今天天气很好。\r\n\n我们去公园。";
const expected = { count: 3, read: ["今天天气很好。", "", "我们去公园。"] };
/** 今天 LF 你好 LF in GB18030. */
const gb18030 = Uint8Array.of(0xbd, 0xf1, 0xcc, 0xec, 0x0a, 0xc4, 0xe3, 0xba, 0xc3, 0x0a);

test("as they are, after a byte order mark, and none", async () => {
  expect(await read("plain.txt", Buffer.from(text))).toEqual(expected);
  expect(await read("bom.txt", Buffer.from(`\ufeff${text}\n`))).toEqual(expected);
  expect(await read("empty.txt", new Uint8Array())).toEqual({ count: 0, read: [] });
});

test("packed files: lines are counted in what was packed", async () => {
  const many = Array.from({ length: 20_000 }, (_, i) => `第${i % 7}行`);
  const { count, read: lines } = await read("many.txt.gz", gzipSync(`${many.join("\n")}\n`));
  expect(count).toBe(20_000);
  expect(lines).toEqual(many);
});

test("another encoding, where it is named", async () => {
  expect(await read("gb.txt", gb18030, { encoding: "gb18030" })).toEqual({ count: 2, read: ["今天", "你好"] });
  await expect(read("gb.txt", gb18030)).rejects.toThrow("expected text in UTF-8");
  const wrong = read("wrong.txt", Uint8Array.of(0xbd, 0xff, 0x0a), { encoding: "gb18030" });
  await expect(wrong).rejects.toThrow(CorpusError);
  await expect(read("cut.txt", gb18030.subarray(0, 3), { encoding: "gb18030" })).rejects.toThrow("text in GB18030");
});

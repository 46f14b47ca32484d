import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CorpusError } from "../errors.ts";
import { readBlock, type TextReading } from "./read-block.ts";
import { type CorpusChunk, type CutOptions, cutBlocks, type TextBlock } from "./text-blocks.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);
const plain: TextReading = { format: "text", encoding: "utf-8", textField: "text" };

/** Files in pieces of a size. */
async function* chunks(files: Record<string, string | Uint8Array>, size = 7): AsyncGenerator<CorpusChunk> {
  for (const [where, content] of Object.entries(files)) {
    const bytes = typeof content === "string" ? bytesOf(content) : content;
    for (let at = 0; at < bytes.length; at += size) yield { where, bytes: bytes.subarray(at, at + size), isEnd: false };
    yield { where, bytes: new Uint8Array(0), isEnd: true };
  }
}

async function cut(
  files: Record<string, string | Uint8Array>,
  { size, ...options }: Partial<CutOptions> & { size?: number } = {},
): Promise<TextBlock[]> {
  const blocks: TextBlock[] = [];
  for await (const block of cutBlocks(chunks(files, size), { format: "text", blockBytes: 20, ...options }))
    blocks.push(block);
  return blocks;
}

const textOf = ({ bytes, parts }: TextBlock) =>
  parts.map(({ begin, end }) => new TextDecoder().decode(bytes.subarray(begin, end)));

describe("blocks", () => {
  test("end with a document, name their place, and are the same for any pieces", async () => {
    const files = { a: "甲一。\n甲二。\n\n乙一。\n乙二。\n\n丙。\n", b: "丁一。\n丁二。\n\n戊。" };
    const blocks = await cut(files);
    expect(blocks.map(textOf)).toEqual([
      ["甲一。\n甲二。\n\n"],
      ["乙一。\n乙二。\n\n"],
      ["丙。\n", "丁一。\n丁二。\n\n"],
      ["戊。"],
    ]);
    expect(blocks.map(({ number }) => number)).toEqual([0, 1, 2, 3]);
    expect(blocks[1]?.parts).toEqual([{ where: "a", offset: 21, line: 3, begin: 0, end: 21 }]);
    expect(blocks[2]?.parts).toEqual([
      { where: "a", offset: 42, line: 6, begin: 0, end: 7 },
      { where: "b", offset: 0, line: 0, begin: 7, end: 28 },
    ]);
    for (const size of [1, 2, 50, 1000]) expect(await cut(files, { size })).toEqual(blocks);
  });

  test("of a document without end stop at a line, behind twice the size", async () => {
    const blocks = await cut({ a: "一二三\n".repeat(12) });
    expect(blocks.map(({ bytes }) => bytes.length)).toEqual([40, 40, 40]);
  });

  test("of the other formats end with their documents", async () => {
    expect((await cut({ a: "一二三\t四\n".repeat(4) }, { format: "pairs" })).map(({ bytes }) => bytes.length)).toEqual([
      28, 28,
    ]);
    const wiki = '<doc id="1">\n一\n\n二\n</doc>\n'.repeat(2);
    expect((await cut({ a: wiki }, { format: "wikiextractor" })).map(({ bytes }) => bytes.length)).toEqual([29, 29]);
  });

  test("lose nothing, whatever the text, its files and the sizes (seeded)", async () => {
    const text = fc
      .array(fc.constantFrom("甲", "b", "\n", "\n\n", "\r\n", "\t"), { maxLength: 60 })
      .map((parts) => parts.join(""));
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { maxLength: 4 }),
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 40 }),
        async (texts, size, blockBytes) => {
          const files = Object.fromEntries(texts.map((content, i) => [`file ${i}`, content]));
          const blocks = await cut(files, { size, blockBytes });
          const read: Record<string, string> = {};
          for (const block of blocks) {
            expect(block.bytes.length).toBeGreaterThan(0);
            for (const [i, part] of block.parts.entries()) {
              expect(bytesOf(read[part.where] ?? "").length).toBe(part.offset);
              expect((read[part.where] ?? "").split("\n").length - 1).toBe(part.line);
              read[part.where] = (read[part.where] ?? "") + textOf(block)[i];
            }
          }
          for (const [name, content] of Object.entries(files)) expect(read[name] ?? "").toBe(content);
        },
      ),
      { seed: 5, numRuns: 200 },
    );
  });

  test("have no line over the limit, the last of a file included", async () => {
    const limit = { maxLineBytes: 12 };
    await expect(cut({ a: "一二三四\n", b: "好\n一二三四五" }, limit)).rejects.toThrow(
      "b line 2, byte 4: expected lines of at most 12 bytes, got a longer one",
    );
    await expect(cut({ a: "长".repeat(1e5) }, { ...limit, size: 1e4 })).rejects.toThrow(CorpusError);
    expect(await cut({ a: "一二三四\n好\n" }, limit)).toHaveLength(1);
  });
});

async function read(content: string | Uint8Array, reading: Partial<TextReading> = {}, blockBytes = 1 << 20) {
  const documents: string[][] = [];
  const all = { ...plain, ...reading };
  for (const block of await cut({ file: content }, { format: all.format, blockBytes }))
    documents.push(...readBlock(block, all));
  return documents;
}

describe("documents", () => {
  test("of plain text are parted by blank lines; a byte order mark and \\r are dropped", async () => {
    expect(await read("\ufeff一\r\n二\r\n \r\n\r\n三")).toEqual([["一", "二"], ["三"]]);
    expect(await read("\n\n \n")).toEqual([]);
  });

  test("of JSON lines are the text of a field", async () => {
    const lines = ['{"id":1,"text":"一\\n\\n二\\u5929"}', "", '{"text":"半\\ud800个"}', '{"text":" "}'];
    expect(await read(lines.join("\n"), { format: "jsonl" })).toEqual([["一", "二天"], ["半\ufffd个"]]);
    expect(await read('{"content":"三"}', { format: "jsonl", textField: "content" })).toEqual([["三"]]);
    const bad = (line: string) => read(`{"text":"好"}\n${line}`, { format: "jsonl" });
    await expect(bad("{")).rejects.toThrow("file line 2: expected a JSON object");
    await expect(bad("null")).rejects.toThrow('file line 2: expected text in the field "text", got none');
    await expect(bad('{"text":3}')).rejects.toThrow('expected text in the field "text", got 3');
  });

  test("of WikiExtractor are what stands in <doc>, without the title, over any number of blocks", async () => {
    const wiki =
      '<doc id="1" url="x" title="长江">\n长江\n\n一。\n二。\n\n</doc>\n<doc id="2" title="空">\n空\n</doc>\n';
    expect(await read(wiki, { format: "wikiextractor" })).toEqual([["一。", "二。"]]);
    const long = `<doc id="1" title="长">\n${"一二三四五\n".repeat(20)}</doc>\n`;
    expect((await read(long, { format: "wikiextractor" }, 40)).flat()).toHaveLength(20);
    await expect(read("好\n", { format: "wikiextractor" })).rejects.toThrow(
      "file line 1: expected text between <doc ...>",
    );
  });

  test("of sentence pairs are two sentences", async () => {
    expect(await read("一。\t二。\n\n三。\t四。\n", { format: "pairs" })).toEqual([
      ["一。", "二。"],
      ["三。", "四。"],
    ]);
    for (const line of ["一。", "一\t二\t三", "一\t "]) {
      await expect(read(`好\t好\n${line}`, { format: "pairs" })).rejects.toThrow("file line 2: expected two sentences");
    }
  });

  test("in GB18030 and Big5 are decoded, and a wrong byte is named", async () => {
    // 天下 in each; the second character of Big5's 功 (A5 5C) has a backslash.
    expect(await read(Uint8Array.of(0xcc, 0xec, 0xcf, 0xc2, 0x0a), { encoding: "gb18030" })).toEqual([["天下"]]);
    expect(await read(Uint8Array.of(0xa4, 0xd1, 0xa5, 0x5c), { encoding: "big5" })).toEqual([["天功"]]);
    const bad = Uint8Array.of(0xcc, 0xec, 0x0a, 0xcf, 0xc2, 0xff, 0x41, 0x0a);
    await expect(read(bad, { encoding: "gb18030" })).rejects.toThrow(
      "file line 2, byte 5: expected text in GB18030, got byte 0xff",
    );
    await expect(read(bad)).rejects.toThrow("file line 1, byte 0: expected text in UTF-8, got byte 0xcc");
    await expect(read(bad)).rejects.toMatchObject({ hint: expect.stringContaining("--encoding gb18030") });
    const cutOff = Uint8Array.of(0xcc, 0xec, 0xcf);
    await expect(read(cutOff, { encoding: "gb18030" })).rejects.toThrow(
      "byte 3: expected text in GB18030, got the end within",
    );
  });

  test("name the place of a wrong byte in the file, whichever block it is in", async () => {
    const text = bytesOf("一二三四五。\n\n".repeat(30));
    const bytes = Uint8Array.of(...text, 0x61, 0xc3, 0x28);
    await expect(read(bytes, {}, 50)).rejects.toThrow(
      `file line 61, byte ${text.length + 1}: expected text in UTF-8, got byte 0xc3`,
    );
  });
});

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CorpusError } from "../errors.ts";
import { type DocumentOptions, firstInvalidUtf8, readDocuments, readLineGroups, readLines } from "./corpus.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** A stream of the bytes in chunks of `size`, over one buffer that is used again, as file readers do. */
async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(size);
  for (let i = 0; i < bytes.length; i += size) {
    const part = bytes.subarray(i, i + size);
    buffer.set(part);
    yield buffer.subarray(0, part.length);
    buffer.fill(0x3f);
  }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const linesOf = (bytes: Uint8Array, size = 7, maxLineBytes?: number) =>
  collect(
    readLines(chunksOf(bytes, size), { where: "a.txt", ...(maxLineBytes === undefined ? {} : { maxLineBytes }) }),
  );

const documentsOf = (text: string, options: Partial<DocumentOptions> = {}) =>
  collect(readDocuments(readLineGroups(chunksOf(encode(text), 5), { where: "a.txt" }), { where: "a.txt", ...options }));

describe("readLines", () => {
  test("gives the same lines whatever the chunks", async () => {
    const text = "春眠不觉晓\r\n\n处处闻啼鸟\n𠀀𠀁 mixed Ω\r\nlast";
    for (let size = 1; size < 40; size++) {
      expect(await linesOf(encode(text), size)).toEqual(["春眠不觉晓", "", "处处闻啼鸟", "𠀀𠀁 mixed Ω", "last"]);
    }
  });

  test("skips a byte order mark at the beginning only", async () => {
    expect(await linesOf(encode("\ufeff甲\n\ufeff乙\n"))).toEqual(["甲", "\ufeff乙"]);
    expect(await linesOf(encode("\ufeff"))).toEqual([""]);
    expect(await linesOf(new Uint8Array(0))).toEqual([]);
  });

  test("splits at line feeds only", async () => {
    expect(await linesOf(encode("甲\u2028乙\u0085丙\u000b丁\n"))).toEqual(["甲\u2028乙\u0085丙\u000b丁"]);
  });

  test("names line and byte of the first bad byte, whatever the chunks", async () => {
    const bytes = Uint8Array.of(...encode("好的\n第二行"), 0xe4, 0xbd, 0x41, ...encode("\n第三行\n"));
    for (let size = 1; size < 40; size++) {
      const error = await linesOf(bytes, size).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(CorpusError);
      expect((error as Error).message).toBe("a.txt line 2, byte 16: expected text in UTF-8, got byte 0xe4");
    }
    await expect(linesOf(Uint8Array.of(0x41, 0xe4, 0xbd))).rejects.toThrow("a.txt line 1, byte 1");
    await expect(linesOf(Uint8Array.of(0xff, 0xfe, 0x41, 0))).rejects.toMatchObject({ hint: /iconv -f UTF-16/ });
    await expect(linesOf(Uint8Array.of(0xc4, 0xe3))).rejects.toMatchObject({ hint: /iconv -f GB18030/ });
  });

  test("refuses a line over the limit with its number and offset, without keeping it", async () => {
    const text = encode(`一\n二二\n${"三".repeat(10)}\n四\n`);
    expect(await linesOf(text, 4, 30)).toHaveLength(4);
    for (const size of [1, 4, 16, 100]) {
      await expect(linesOf(text, size, 29), `${size}`).rejects.toThrow(
        "a.txt line 3, byte 11: expected lines of at most 29 bytes, got a longer one",
      );
    }
    let given = 0;
    async function* endless() {
      const chunk = new Uint8Array(1 << 20).fill(0x61);
      for (; given < 100; given++) yield chunk;
    }
    await expect(collect(readLines(endless(), { where: "a.txt" }))).rejects.toThrow("lines of at most 16777216 bytes");
    expect(given).toBeLessThan(18);
  });
});

describe("firstInvalidUtf8", () => {
  test("agrees with TextDecoder on random bytes (seeded)", () => {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const byte = fc.oneof(fc.nat(255), fc.constantFrom(0xe0, 0xed, 0xf0, 0xf4, 0xc1, 0x80, 0xbf, 0x9f, 0xa0, 0x41));
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 8 }), (values) => {
        const bytes = Uint8Array.from(values);
        const at = firstInvalidUtf8(bytes);
        expect(() => decoder.decode(bytes.subarray(0, at))).not.toThrow();
        if (at < bytes.length) expect(() => decoder.decode(bytes)).toThrow();
      }),
      { seed: 8, numRuns: 5000 },
    );
  });
});

describe("readDocuments", () => {
  test("parts documents at blank lines, ideographic spaces included", async () => {
    expect(await documentsOf("\n\n甲。\n乙。\n\n \u3000\t\n丙。\n\n")).toEqual([["甲。", "乙。"], ["丙。"]]);
    expect(await documentsOf("甲\n\x1c\x85\n乙")).toEqual([["甲"], ["乙"]]);
  });

  test("cuts endless documents and splits lines when asked", async () => {
    expect(await documentsOf("一二三\n四五六\n七八九\n", { maxDocumentLength: 6 })).toEqual([
      ["一二三", "四五六"],
      ["七八九"],
    ]);
    expect(await documentsOf("一。二。\n\n三", { splitLine: (line) => line.match(/.。?/g) ?? [] })).toEqual([
      ["一。", "二。"],
      ["三"],
    ]);
  });

  test("an empty corpus is an error", async () => {
    for (const text of ["", "\n\n", "  \n\u3000\n"]) {
      await expect(documentsOf(text)).rejects.toThrow("a.txt: expected text, got no line that is not blank");
    }
  });
});

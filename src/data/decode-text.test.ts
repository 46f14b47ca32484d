import { expect, test } from "vitest";
import { CorpusError } from "../errors.ts";
import { decodeText } from "./decode-text.ts";

/** Own sentences in the encodings of people's files; TextEncoder knows UTF-8 only. */
const sentence = "服务很好，房间也干净。";
const utf8 = new TextEncoder().encode(`text\tlabel\n${sentence}\t1\n`);
const gbk = Uint8Array.of(0xb7, 0xfe, 0xce, 0xf1, 0xba, 0xdc, 0xba, 0xc3, 0xa3, 0xac, 0x09, 0x31, 0x0a);
const big5 = Uint8Array.of(0xaa, 0x41, 0xb0, 0xc8, 0xab, 0xdc, 0xa6, 0x6e, 0xa1, 0x41, 0xa9, 0xd0, 0xb6, 0xa1, 0x0a);

function utf16(text: string, isBig: boolean, mark: boolean): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(2 * (text.length + (mark ? 1 : 0))));
  for (const [i, unit] of [...(mark ? "\uFEFF" : ""), ...text].entries()) {
    bytes.setUint16(2 * i, unit.charCodeAt(0), !isBig);
  }
  return new Uint8Array(bytes.buffer);
}

test("UTF-8 with and without a byte order mark", () => {
  expect(decodeText(utf8, "a.tsv")).toEqual({
    text: `text\tlabel\n${sentence}\t1\n`,
    encoding: "utf-8",
    isGuessed: false,
  });
  const marked = Uint8Array.of(0xef, 0xbb, 0xbf, ...utf8);
  expect(decodeText(marked, "a.tsv").text.startsWith("text")).toBe(true);
});

test.each([
  [gbk, "gb18030", "服务很好，\t1\n"],
  [big5, "big5", "服務很好，房間\n"],
] as const)("bytes that are no UTF-8 are told by their look: %#", (bytes, encoding, text) => {
  expect(decodeText(bytes, "a.tsv")).toEqual({ text, encoding, isGuessed: true });
});

test.each([
  [false, true],
  [true, true],
  [false, false],
  [true, false],
])("UTF-16 big %s, marked %s", (isBig, isMarked) => {
  const found = decodeText(utf16(`a\t1\n${sentence}\n`, isBig, isMarked), "a.csv");
  expect(found).toEqual({
    text: `a\t1\n${sentence}\n`,
    encoding: isBig ? "utf-16be" : "utf-16le",
    isGuessed: !isMarked,
  });
});

test("mixed encodings are an error with line and byte", () => {
  const both = Uint8Array.of(...utf8, ...gbk);
  expect(() => decodeText(both, "a.tsv")).toThrow(CorpusError);
  expect(() => decodeText(both, "a.tsv")).toThrow(`a.tsv line 3, byte ${utf8.length}: expected one encoding`);
});

test("a file that is cut within a character", () => {
  for (const text of [sentence, "好读的书，很不错的书店𠮷"]) {
    const whole = new TextEncoder().encode(`label\n${text}`);
    for (const encoding of [undefined, "utf-8"] as const) {
      const read = () => decodeText(whole.subarray(0, -1), "a.tsv", encoding);
      expect(read).toThrow(
        /^a\.tsv line 2, byte \d+: expected whole characters in UTF-8, got the file's end within one$/,
      );
    }
  }
  const wrong = Uint8Array.of(...utf8, 0xe5, 0x31);
  expect(() => decodeText(wrong, "a.tsv")).toThrow("expected one encoding in the whole file");
});

test("an encoding that is said is kept to, with the place of the fault", () => {
  expect(decodeText(gbk, "a.tsv", "gb18030").isGuessed).toBe(false);
  expect(() => decodeText(gbk, "a.tsv", "utf-8")).toThrow("a.tsv line 1, byte 0");
  expect(() => decodeText(Uint8Array.of(0x31, 0x0a, 0xff, 0xff), "a.tsv", "gb18030")).toThrow("a.tsv line 2, byte 2");
});

test("bytes that are no text at all", () => {
  expect(() => decodeText(Uint8Array.of(0x31, 0xff, 0xff, 0xff, 0xff), "a.bin")).toThrow(CorpusError);
});

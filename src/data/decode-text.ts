/**
 * A whole file as text: by its byte order mark, as UTF-8 where it is that, or else by what the bytes look like. Chinese text
 * on people's disks is UTF-8, GB18030 (with GBK and GB2312 in it), Big5 or UTF-16 from spreadsheets.
 */
import { CorpusError, verbatim } from "../errors.ts";
import { endsWithinCharacter, firstInvalidUtf8, undecodable } from "./corpus.ts";
import { firstInvalid, TEXT_ENCODINGS, type TextEncoding } from "./read-block.ts";

/** Encodings of whole files. */
export const FILE_ENCODINGS = [...TEXT_ENCODINGS, "utf-16le", "utf-16be"] as const;
/** The encoding of a whole file. */
export type FileEncoding = TextEncoding | "utf-16le" | "utf-16be";

/** A file's text. */
export interface DecodedText {
  /** Without a byte order mark. */
  readonly text: string;
  readonly encoding: FileEncoding;
  /** Told by what the bytes look like: neither said, nor UTF-8, nor a byte order mark. */
  readonly isGuessed: boolean;
}

/** Characters beyond ASCII that are good UTF-8 before the first wrong byte: so many are no chance. */
const CERTAIN_UTF8 = 8;
/** GB2312 text has no second byte below 0xA1, Big5 text has about two in five; a few are GBK's rarer characters. */
const BIG5_SHARE = 0.15;

/**
 * The text in bytes.
 * @param where - the file's name, for messages. @param encoding - what people say it is; told by the bytes when left out.
 * @throws {CorpusError} at bytes that are no text of the encoding, and where encodings are mixed; with line and byte offset.
 */
export function decodeText(bytes: Uint8Array, where: string, encoding?: FileEncoding): DecodedText {
  if (encoding !== undefined) return { text: decode(bytes, where, encoding), encoding, isGuessed: false };
  const marked = byteOrderMark(bytes);
  if (marked !== undefined) return { text: decode(bytes, where, marked), encoding: marked, isGuessed: false };
  const valid = firstInvalidUtf8(bytes);
  if (valid === bytes.length && !bytes.subarray(0, 64).includes(0)) {
    return { text: decode(bytes, where, "utf-8"), encoding: "utf-8", isGuessed: false };
  }
  const guessed = guess(bytes, valid, where);
  return { text: decode(bytes, where, guessed), encoding: guessed, isGuessed: true };
}

function byteOrderMark(bytes: Uint8Array): FileEncoding | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return "utf-16le";
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return "utf-16be";
  return undefined;
}

function decode(bytes: Uint8Array, where: string, encoding: FileEncoding): string {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    if (encoding === "utf-16le" || encoding === "utf-16be") {
      const got = verbatim("a character cut in half");
      throw new CorpusError({ where, expected: `text in ${encoding.toUpperCase()}`, got, hint: NAME_IT, cause });
    }
    const at = encoding === "utf-8" ? firstInvalidUtf8(bytes) : firstInvalid(bytes, encoding);
    if (encoding === "utf-8" && endsWithinCharacter(bytes, at)) throw cutShort(bytes, at, where);
    throw undecodable(bytes, at, { where, offset: 0, line: 0 }, encoding, cause);
  }
}

const NAME_IT = `name the file's encoding: --encoding ${FILE_ENCODINGS.join(" | ")}`;

/** @param valid - the offset of the first byte that is no UTF-8. */
function guess(bytes: Uint8Array, valid: number, where: string): FileEncoding {
  const zeros = zeroShares(bytes);
  if (zeros.odd > 0.02 && zeros.even < zeros.odd / 4) return "utf-16le";
  if (zeros.even > 0.02 && zeros.odd < zeros.even / 4) return "utf-16be";
  if (charactersBeyondAscii(bytes, valid) >= CERTAIN_UTF8) {
    throw endsWithinCharacter(bytes, valid) ? cutShort(bytes, valid, where) : mixed(bytes, valid, where);
  }
  const candidates: readonly TextEncoding[] = lowSecondBytes(bytes) > BIG5_SHARE ? ["big5", "gb18030"] : ["gb18030"];
  const furthest = candidates.map((encoding) => ({ encoding, at: firstInvalid(bytes, encoding) }));
  const sound = furthest.find(({ encoding }) => isSound(bytes, encoding));
  if (sound !== undefined) return sound.encoding;
  const best = furthest.reduce((a, b) => (b.at > a.at ? b : a));
  throw undecodable(bytes, Math.max(valid, best.at), { where, offset: 0, line: 0 }, "utf-8", undefined);
}

function isSound(bytes: Uint8Array, encoding: TextEncoding): boolean {
  try {
    new TextDecoder(encoding, { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Bytes that are looked at to tell an encoding. */
const SAMPLE_BYTES = 1 << 16;

/** Tabs, newlines and Latin letters have a zero byte in UTF-16, and nothing else has any. */
function zeroShares(bytes: Uint8Array): { readonly even: number; readonly odd: number } {
  const counts = [0, 0];
  const sample = bytes.subarray(0, SAMPLE_BYTES);
  sample.forEach((byte, i) => {
    if (byte === 0) counts[i & 1] = (counts[i & 1] as number) + 1;
  });
  return { even: (2 * (counts[0] as number)) / sample.length, odd: (2 * (counts[1] as number)) / sample.length };
}

/** The share of second bytes below 0xA1, in pairs of bytes of which the first is beyond ASCII. */
function lowSecondBytes(bytes: Uint8Array): number {
  let pairs = 0;
  let low = 0;
  const end = Math.min(bytes.length, SAMPLE_BYTES) - 1;
  for (let i = 0; i < end; i++) {
    if ((bytes[i] as number) < 0x81) continue;
    i += 1;
    pairs += 1;
    if ((bytes[i] as number) < 0xa1) low += 1;
  }
  return pairs === 0 ? 0 : low / pairs;
}

function charactersBeyondAscii(bytes: Uint8Array, end: number): number {
  let count = 0;
  for (let i = 0; i < end; i++) if ((bytes[i] as number) >= 0xc0) count += 1;
  return count;
}

function mixed(bytes: Uint8Array, at: number, where: string): CorpusError {
  const before = charactersBeyondAscii(bytes, at);
  return new CorpusError({
    where: placeIn(bytes, at, where),
    expected: "one encoding in the whole file",
    got: verbatim(`${before} characters in UTF-8 and then byte 0x${hex(bytes[at])}`),
    hint: "the file is of mixed encodings or damaged there: save it anew as UTF-8, or take the line out",
  });
}

function cutShort(bytes: Uint8Array, at: number, where: string): CorpusError {
  return new CorpusError({
    where: placeIn(bytes, at, where),
    expected: "whole characters in UTF-8",
    got: verbatim("the file's end within one"),
    hint: "the file is cut short: copy or download it again, or take its last line out",
  });
}

/** File, line and byte. */
function placeIn(bytes: Uint8Array, at: number, where: string): string {
  const { message } = undecodable(bytes, at, { where, offset: 0, line: 0 }, "utf-8", undefined);
  return message.slice(0, message.indexOf(": expected"));
}

function hex(byte: number | undefined): string {
  return (byte ?? 0).toString(16).padStart(2, "0");
}

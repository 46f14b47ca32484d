/** Parsers of numeric options: the number, or an error that names the option and its range. */
import { MAX_SEQ_LENGTH } from "../data/shards.ts";
import { UsageError } from "../errors.ts";

/** Whole numbers, of at least `min` where it is given. @param flag - as the user writes it, for the message. */
export function wholeNumber(flag: string, min?: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    const isWhole = /^[+-]?\d+$/.test(text.trim()) && Number.isSafeInteger(value);
    if (isWhole && (min === undefined || value >= min)) return value;
    const expected = min === undefined ? "a whole number" : `a whole number of ${min} or more`;
    throw new UsageError({ where: flag, expected, got: text });
  };
}

/** The value of --max-seq-length, if a model has positions for it. */
export function sequenceLength(length: number): number {
  if (length <= MAX_SEQ_LENGTH) return length;
  throw new UsageError({
    where: "--max-seq-length",
    expected: `at most ${MAX_SEQ_LENGTH}`,
    got: length,
    hint: `BERT models have ${MAX_SEQ_LENGTH} position embeddings; longer text is cut`,
  });
}

/** Numbers above 0, such as 1e-4. */
export function positiveNumber(flag: string): (text: string) => number {
  return (text) => {
    const value = parseNumber(text);
    if (value > 0 && value < Number.POSITIVE_INFINITY) return value;
    throw new UsageError({ where: flag, expected: "a number above 0", got: text });
  };
}

/** Numbers from 0 up to, but not including, 1. */
export function share(flag: string): (text: string) => number {
  return (text) => {
    const value = parseNumber(text);
    if (value >= 0 && value < 1) return value;
    throw new UsageError({ where: flag, expected: "a number from 0 to below 1", got: text });
  };
}

/** Numbers from 0 to 1. */
export function probability(flag: string): (text: string) => number {
  return (text) => {
    const value = parseNumber(text);
    if (value >= 0 && value <= 1) return value;
    throw new UsageError({ where: flag, expected: "a number from 0 to 1", got: text });
  };
}

/** Numbers of at least 0. */
export function nonNegativeNumber(flag: string): (text: string) => number {
  return (text) => {
    const value = parseNumber(text);
    if (value >= 0 && value < Number.POSITIVE_INFINITY) return value;
    throw new UsageError({ where: flag, expected: "a number of 0 or more", got: text });
  };
}

/** Any number. */
export function finiteNumber(flag: string): (text: string) => number {
  return (text) => {
    const value = parseNumber(text);
    if (Number.isFinite(value)) return value;
    throw new UsageError({ where: flag, expected: "a number", got: text });
  };
}

/** NaN for empty text, which Number() would take for 0. */
function parseNumber(text: string): number {
  return text.trim() === "" ? Number.NaN : Number(text);
}

/** Counts for people: 12.3 M, 45.6 K. */
export function formatCount(count: number): string {
  return count >= 1e6 ? `${(count / 1e6).toFixed(1)} M` : `${(count / 1e3).toFixed(1)} K`;
}

/** Bytes as megabytes with one decimal. */
export function inMegabytes(bytes: number): number {
  return Math.round(bytes / 1e5) / 10;
}

/** What units of bytes stand for: decimal ones and, with an i, powers of 1024. */
const BYTE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
};

/** Sizes such as 500MB, 2GiB or a plain number of bytes. */
export function byteCount(flag: string): (text: string) => number {
  return (text) => {
    const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
    const factor = BYTE_UNITS[unit.toUpperCase()];
    const bytes = number === "" || factor === undefined ? 0 : Math.floor(Number(number) * factor);
    if (bytes >= 1) return bytes;
    throw new UsageError({ where: flag, expected: "a size such as 500MB or 2GiB", got: text });
  };
}

/** What the letters after a count stand for. */
const COUNT_UNITS: Readonly<Record<string, number>> = { "": 1, K: 1e3, M: 1e6, B: 1e9, G: 1e9, T: 1e12 };

/** Counts such as 5.4B, 300M or 1e9. */
export function tokenCount(flag: string): (text: string) => number {
  return (text) => {
    const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?(?:e\d+)?)\s*([a-z]?)$/i.exec(text.trim()) ?? [];
    const factor = COUNT_UNITS[unit.toUpperCase()];
    const count = number === "" || factor === undefined ? 0 : Math.round(Number(number) * factor);
    if (count >= 1 && Number.isSafeInteger(count)) return count;
    throw new UsageError({ where: flag, expected: "a count such as 5.4B or 300M", got: text });
  };
}

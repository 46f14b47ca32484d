/**
 * Writes src/text/unicode-tables.ts from a measured classification of every code point.
 * Use: npx tsx scripts/make-unicode-tables.ts codepoints.json > src/text/unicode-tables.ts
 * The input says, for each rule set, which code points are dropped, spaces, Chinese, punctuation, and what lower-casing
 * with accent stripping makes of the others.
 */
import { readFileSync } from "node:fs";

type Range = [number, number];
interface Side {
  drop: Range[];
  space: Range[];
  cjk: Range[];
  punct: Range[];
  lower: [number, string][];
  space_by_split?: Range[];
}

const HANGUL: Range = [0xac00, 0xd7a3];
const source = JSON.parse(readFileSync(process.argv[2] as string, "utf8")) as { hf: Side; google: Side };

function expand(ranges: Range[]): Set<number> {
  const set = new Set<number>();
  for (const [low, high] of ranges) for (let code = low; code <= high; code++) set.add(code);
  return set;
}

/** Sorted code points as `gap` or `gap.more`: base 36, the gap from the end of the range before, and its length - 1. */
function pack(codes: Iterable<number>): string {
  const sorted = [...codes].sort((a, b) => a - b);
  const words: string[] = [];
  for (let i = 0, next = 0; i < sorted.length; ) {
    const low = sorted[i] as number;
    let high = low;
    while (sorted[++i] === high + 1) high++;
    words.push((low - next).toString(36) + (high > low ? `.${(high - low).toString(36)}` : ""));
    next = high + 1;
  }
  return words.join(" ");
}

/**
 * Marks that accent stripping leaves and that canonical ordering moves (NFD puts them behind a following U+0334),
 * measured with tokenizers 0.23 (whose table of combining classes is that of Unicode 9) and with Python 3.11.
 */
const REORDERED = {
  hf:
    "8d4-8e1 1b44 1baa 1bf2-1bf3 1dfb 302e-302f a953 a9c0 111c0 11235 1134d 11442 11446 116b6 11c3f " +
    "1d165-1d166 1d16d-1d172 1e000-1e006 1e008-1e018 1e01b-1e021 1e023-1e024 1e026-1e02a 1e944-1e94a ",
  google:
    "1715 1734 1b44 1baa 1bf2-1bf3 302e-302f a953 a9c0 111c0 11235 1134d 116b6 1193d 16ff0-16ff1 " +
    "1d165-1d166 1d16d-1d172 ",
};

function parseHex(ranges: string): Set<number> {
  return expand(
    ranges
      .trim()
      .split(" ")
      .map((range) => {
        const [low, high = low] = range.split("-").map((text) => Number.parseInt(text, 16));
        return [low, high] as Range;
      }),
  );
}

function properties(side: Side, reordered: string): Record<string, Set<number>> {
  const stripped = side.lower.filter(([, result]) => result === "").map(([code]) => code);
  const changed = side.lower.filter(([, result]) => result !== "").map(([code]) => code);
  const character = (code: number) => String.fromCodePoint(code);
  return {
    dropped: expand(side.drop),
    space: expand([...side.space, ...(side.space_by_split ?? [])]),
    chinese: expand(side.cjk),
    punctuation: expand(side.punct),
    stripped: new Set(stripped),
    lowered: new Set(changed.filter((code) => character(code).toLowerCase() !== character(code))),
    decomposed: new Set([
      ...changed.filter((code) => character(code).normalize("NFD") !== character(code)),
      ...expand([HANGUL]),
    ]),
    reordered: parseHex(reordered),
  };
}

const base = properties(source.hf, REORDERED.hf);
const other = properties(source.google, REORDERED.google);
console.log(`/**
 * Which code points each rule set drops, splits at, folds; facts of several Unicode versions, fixed here because the
 * versions behind \\p{...} and toLowerCase differ by engine. Made by scripts/make-unicode-tables.ts.
 * Ranges in base 36: the gap since the range before, then \`.\` and the length - 1 where the range is longer than one.
 */

/** The names of the tables. */
export type UnicodeProperty = keyof typeof HUGGINGFACE_RANGES;

/** Ranges as the tokenizers library (Rust) has them. */
export const HUGGINGFACE_RANGES = {`);
for (const [name, set] of Object.entries(base)) console.log(`  ${name}:\n    "${pack(set)}",`);
console.log(`} as const;

/** Where tokenization.py under Unicode 14 differs from the ranges above: these code points change sides. */
export const GOOGLE_DIFFERENCES: Readonly<Record<UnicodeProperty, string>> = {`);
for (const [name, set] of Object.entries(base)) {
  const theirs = other[name] as Set<number>;
  console.log(`  ${name}:\n    "${pack(xor(set, theirs))}",`);
}
console.log("};");

function xor(a: Set<number>, b: Set<number>): number[] {
  return [...[...a].filter((code) => !b.has(code)), ...[...b].filter((code) => !a.has(code))];
}

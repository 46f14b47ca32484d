/** Filters of a corpus's lines, each with a count of what it removed; all are off unless asked for. */
import { ArgumentError } from "../errors.ts";
import { isBlank } from "../util/python-space.ts";
import { CLEANING_STEPS, cleanLine } from "./clean-line.ts";
import type { DocumentLines, TextReading } from "./read-block.ts";

/** What is cleaned and removed. */
export interface FilterOptions {
  /** Cleans lines as `cleanLine` does. */
  readonly clean: boolean;
  /** Lines of fewer characters (after cleaning) are removed. */
  readonly minLineLength: number;
  /** Lines of more characters are removed. */
  readonly maxLineLength: number;
  /** Lines with a smaller share of Chinese characters among those that are not white space are removed, in [0, 1]. */
  readonly minChinese: number;
  /** Lines whose letters have been read before are removed. */
  readonly dropDuplicates: boolean;
}

/** Keeps everything as it is. */
export const NO_FILTERS: FilterOptions = {
  clean: false,
  minLineLength: 0,
  maxLineLength: Number.MAX_SAFE_INTEGER,
  minChinese: 0,
  dropDuplicates: false,
};

/** How many lines were read, changed by each step of cleaning, and removed by each filter. */
export interface FilterCounts {
  linesRead: number;
  cleanedReferences: number;
  cleanedInvisible: number;
  cleanedSpaces: number;
  /** Nothing was left of the line. */
  removedEmpty: number;
  removedShort: number;
  removedLong: number;
  removedForeign: number;
  removedDuplicates: number;
}

/** Counts before anything is read. */
export function noFilterCounts(): FilterCounts {
  const cleaned = { cleanedReferences: 0, cleanedInvisible: 0, cleanedSpaces: 0 };
  const removed = { removedEmpty: 0, removedShort: 0, removedLong: 0, removedForeign: 0, removedDuplicates: 0 };
  return { linesRead: 0, ...cleaned, ...removed };
}

/** @throws {ArgumentError} when a bound is out of range. */
export function checkFilters({ minLineLength, maxLineLength, minChinese }: FilterOptions): void {
  const bounds = { minLineLength: [0, maxLineLength], maxLineLength: [1, Number.MAX_SAFE_INTEGER] } as const;
  for (const [where, [low, high]] of Object.entries(bounds)) {
    const got = where === "minLineLength" ? minLineLength : maxLineLength;
    if (!Number.isSafeInteger(got) || got < low || got > high) {
      throw new ArgumentError({ where, expected: `a whole number from ${low} to ${high}`, got });
    }
  }
  if (!(minChinese >= 0 && minChinese <= 1)) {
    throw new ArgumentError({ where: "minChinese", expected: "a share from 0 to 1", got: minChinese });
  }
}

const countOfStep = {
  references: "cleanedReferences",
  invisible: "cleanedInvisible",
  spaces: "cleanedSpaces",
} as const;
const HAN = /\p{Script=Han}/gu;
const INK = /\S/gu;

/**
 * The documents of a block with their lines cleaned and filtered; a pair of sentences stays whole or goes.
 * @param isNew - whether a line is no duplicate; asked once for each line that all other filters keep, in order.
 * @param counts - what was done is added to them.
 */
export function* filterDocuments(
  documents: Iterable<DocumentLines>,
  options: FilterOptions,
  { format }: Pick<TextReading, "format">,
  isNew: (line: string) => boolean,
  counts: FilterCounts,
): Generator<DocumentLines> {
  for (const document of documents) {
    const lines = document.map((line) => filterLine(line, options, counts));
    // Of pairs, the two sides together are the line that may have been read before.
    const units = format === "pairs" ? [lines] : lines.map((line) => [line]);
    const kept = units.filter((unit) => isKept(unit, options, isNew, counts)) as DocumentLines[];
    if (kept.length > 0) yield kept.flat();
  }
}

function isKept(
  unit: readonly (string | undefined)[],
  { dropDuplicates }: FilterOptions,
  isNew: (line: string) => boolean,
  counts: FilterCounts,
): boolean {
  if (unit.includes(undefined)) return false;
  if (!dropDuplicates || isNew(unit.join("\t"))) return true;
  counts.removedDuplicates += unit.length;
  return false;
}

/** The line, cleaned; undefined where a filter removes it. */
function filterLine(line: string, options: FilterOptions, counts: FilterCounts): string | undefined {
  counts.linesRead += 1;
  const cleaned = options.clean ? cleanLine(line, (step) => (counts[countOfStep[step]] += 1)) : line;
  const reason = reasonToRemove(cleaned, options);
  if (reason === undefined) return cleaned;
  counts[reason] += 1;
  return undefined;
}

function reasonToRemove(line: string, options: FilterOptions): keyof FilterCounts | undefined {
  const { clean, minLineLength, maxLineLength, minChinese } = options;
  if (clean && isBlank(line)) return "removedEmpty";
  if (line.length < minLineLength) return "removedShort";
  if (line.length > maxLineLength) return "removedLong";
  if (minChinese > 0) {
    const ink = line.match(INK)?.length ?? 0;
    if ((line.match(HAN)?.length ?? 0) < minChinese * ink) return "removedForeign";
  }
  return undefined;
}

/** The steps of cleaning and the filters that are on, by the name of their counts. */
export function activeCounts({ clean, minLineLength, maxLineLength, minChinese, dropDuplicates }: FilterOptions) {
  const names: (keyof FilterCounts)[] = [];
  if (clean) names.push(...CLEANING_STEPS.map((step) => countOfStep[step]), "removedEmpty");
  if (minLineLength > 0) names.push("removedShort");
  if (maxLineLength < NO_FILTERS.maxLineLength) names.push("removedLong");
  if (minChinese > 0) names.push("removedForeign");
  if (dropDuplicates) names.push("removedDuplicates");
  return names.length === 0 ? names : (["linesRead", ...names] as const);
}

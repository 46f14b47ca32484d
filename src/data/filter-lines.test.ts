import { describe, expect, test } from "vitest";
import { ArgumentError } from "../errors.ts";
import { Random } from "../util/random.ts";
import { cleanLine } from "./clean-line.ts";
import { DuplicateFilter } from "./duplicate-lines.ts";
import {
  activeCounts,
  checkFilters,
  type FilterOptions,
  filterDocuments,
  NO_FILTERS,
  noFilterCounts,
} from "./filter-lines.ts";
import type { TextFormat } from "./text-blocks.ts";

describe("cleaning", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["named references", "&ldquo;好&rdquo;&nbsp;&hellip;&amp;&quot;", '“好” …&"'],
    ["numbered references", "&#20013;&#x56FD;&#x1F600;", "中国😀"],
    ["a reference to a reference, once", "&amp;lt;", "&lt;"],
    [
      "what is no reference",
      "&toString; &#0; &#xD800; &#9999999; AT&T & Q&A;",
      "&toString; &#0; &#xD800; &#9999999; AT&T & Q&A;",
    ],
    ["control and zero-width characters", "山\u0000里\u200b的\u0007小\ufeff路\u202e。\u0085", "山里的小路。"],
    ["white space", "\u3000\u3000山  里\u00a0的\t\t小路 。 ", "山 里 的 小路 。"],
    ["clean text", "山里的 小路，3.5 公里。", "山里的 小路，3.5 公里。"],
  ];
  test.each(cases)("%s", (_name, line, cleaned) => expect(cleanLine(line)).toBe(cleaned));

  test("tells which steps changed the line, and changes nothing twice", () => {
    const steps: string[] = [];
    const cleaned = cleanLine("&lt;b&gt;  好", (step) => steps.push(step));
    expect(steps).toEqual(["references", "spaces"]);
    expect(cleanLine(cleaned, (step) => steps.push(step))).toBe(cleaned);
    expect(steps).toHaveLength(2);
  });
});

function filter(documents: string[][], options: Partial<FilterOptions>, format: TextFormat = "text") {
  const counts = noFilterCounts();
  const duplicates = new DuplicateFilter(1 << 16);
  const all = { ...NO_FILTERS, ...options };
  const kept = [...filterDocuments(documents, all, { format }, (line) => duplicates.add(line), counts)];
  const done = Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
  return { kept, done };
}

describe("filters", () => {
  test("change nothing unless asked", () => {
    const documents = [["&amp;", "a", "a"], ["  好 "]];
    expect(filter(documents, {})).toEqual({ kept: documents, done: { linesRead: 4 } });
    expect(activeCounts(NO_FILTERS)).toEqual([]);
  });

  test("count what they do to each line", () => {
    const documents = [
      ["&nbsp;", "短", "不长不短的行", "很长很长很长很长的行"],
      ["english words here"],
      ["半 half 半半"],
    ];
    const { kept, done } = filter(documents, { clean: true, minLineLength: 2, maxLineLength: 9, minChinese: 0.4 });
    expect(kept).toEqual([["不长不短的行"], ["半 half 半半"]]);
    expect(done).toEqual({
      linesRead: 6,
      cleanedReferences: 1,
      cleanedSpaces: 1,
      removedEmpty: 1,
      removedShort: 1,
      removedLong: 2,
    });
    expect(filter([["english words"]], { minChinese: 0.4 }).done).toEqual({ linesRead: 1, removedForeign: 1 });
  });

  test("take lines of the same letters for the same, in any document", () => {
    const { kept, done } = filter(
      [
        ["第3页：山里的路", "水边"],
        ["第 12 页 山里的路！", "水"],
        ["123", "456", "ABC", "abc"],
      ],
      { dropDuplicates: true },
    );
    expect(kept).toEqual([["第3页：山里的路", "水边"], ["水"], ["123", "456", "ABC"]]);
    expect(done).toEqual({ linesRead: 8, removedDuplicates: 2 });
  });

  test("remove pairs whole", () => {
    const pairs = [
      ["山里", "水边"],
      ["山里", "天上"],
      ["山里", "水边。"],
      ["山", "水边"],
    ];
    const { kept, done } = filter(pairs, { minLineLength: 2, dropDuplicates: true }, "pairs");
    expect(kept).toEqual([
      ["山里", "水边"],
      ["山里", "天上"],
    ]);
    expect(done).toEqual({ linesRead: 8, removedShort: 1, removedDuplicates: 2 });
  });

  test("are checked", () => {
    for (const wrong of [
      { minLineLength: 5, maxLineLength: 4 },
      { maxLineLength: 0 },
      { minChinese: 1.5 },
      { minLineLength: 0.5 },
    ]) {
      expect(() => checkFilters({ ...NO_FILTERS, ...wrong })).toThrow(ArgumentError);
    }
  });
});

describe("the duplicate filter", () => {
  const random = new Random(3);
  const line = () => Array.from({ length: 12 }, () => String.fromCodePoint(0x4e00 + random.integer(5000))).join("");

  test("misses no duplicate, and errs as rarely as it says", () => {
    const filter = new DuplicateFilter(1 << 18);
    const lines = Array.from({ length: 20_000 }, line);
    for (const text of lines) filter.add(text);
    expect(lines.filter((text) => filter.add(text))).toEqual([]);
    const before = filter.errorRate;
    expect(before).toBeGreaterThan(1e-3);
    const wrong = Array.from({ length: 3000 }, line).filter((text) => !filter.add(text)).length / 3000;
    expect(wrong).toBeGreaterThan(before / 2);
    expect(wrong).toBeLessThan(2 * filter.errorRate);
  });

  test("of the usual size does not err in small corpora", () => {
    const filter = new DuplicateFilter();
    expect(Array.from({ length: 20_000 }, line).filter((text) => !filter.add(text))).toEqual([]);
    expect(filter.errorRate).toBeLessThan(1e-15);
  });
});

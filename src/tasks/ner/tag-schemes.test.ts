/** Tags to spans in each scheme, conversion, detection, and which tag may follow which. (Against seqeval: entity-metrics.test.ts.) */
import { describe, expect, test } from "vitest";
import { Random } from "../../util/random.ts";
import {
  convertTags,
  detectScheme,
  lenientSpans,
  mayFollow,
  spansOf,
  strictSpans,
  type TagSpan,
  tagsOf,
  type WrittenScheme,
  withoutOverlap,
} from "./tag-schemes.ts";

const tags = (text: string) => text.split(" ");
const shown = (spans: readonly TagSpan[]) => spans.map(({ type, start, end }) => `${type} ${start}-${end}`);

describe("repair and strictness", () => {
  test("an I after O begins an entity to one, is none to the other", () => {
    const sentence = tags("I-LOC I-LOC O B-PER I-ORG");
    expect(shown(lenientSpans(sentence))).toEqual(["LOC 0-2", "PER 3-4", "ORG 4-5"]);
    expect(shown(strictSpans(sentence, "IOB2"))).toEqual(["PER 3-4"]);
  });

  test("neighbours of one type are two where the second has a B", () => {
    const sentence = tags("B-LOC I-LOC B-LOC");
    expect(shown(lenientSpans(sentence))).toEqual(["LOC 0-2", "LOC 2-3"]);
    expect(shown(strictSpans(sentence, "IOB2"))).toEqual(["LOC 0-2", "LOC 2-3"]);
    expect(shown(strictSpans(tags("I-LOC I-LOC B-LOC"), "IOB1"))).toEqual(["LOC 0-2", "LOC 2-3"]);
  });

  test("BILOU single units beside each other stay apart", () => {
    expect(shown(spansOf(tags("U-PER U-PER B-LOC I-LOC L-LOC"), "BILOU"))).toEqual(["PER 0-1", "PER 1-2", "LOC 2-5"]);
  });

  test("an unfinished BIOES entity is none to the strict", () => {
    expect(shown(strictSpans(tags("B-PER I-PER O S-LOC"), "IOBES"))).toEqual(["LOC 3-4"]);
    expect(shown(strictSpans(tags("B-PER X-PER"), "IOB2"))).toEqual(["PER 0-1"]);
  });

  test("words cover everything, whatever the tags", () => {
    expect(shown(spansOf(tags("M E S B B M"), "words"))).toEqual(["_ 0-2", "_ 2-3", "_ 3-4", "_ 4-6"]);
    expect(shown(spansOf(tags("B I B B I I"), "words"))).toEqual(["_ 0-2", "_ 2-3", "_ 3-6"]);
    expect(spansOf([], "words")).toEqual([]);
  });

  test("plain tags are spans of one unit", () => {
    expect(shown(spansOf(tags("NR VV"), "plain"))).toEqual(["NR 0-1", "VV 1-2"]);
  });
});

describe("conversion", () => {
  const spans = [
    { type: "PER", start: 0, end: 3 },
    { type: "LOC", start: 3, end: 4 },
  ];

  test.each<[WrittenScheme, string]>([
    ["IOB2", "B-PER I-PER I-PER B-LOC O"],
    ["IOBES", "B-PER I-PER E-PER S-LOC O"],
    ["BILOU", "B-PER I-PER L-PER U-LOC O"],
    ["BMES", "B-PER M-PER E-PER S-LOC O"],
  ])("%s and back", (scheme, expected) => {
    const written = tagsOf(spans, 5, scheme);
    expect(written.join(" ")).toBe(expected);
    expect(spansOf(written, scheme)).toEqual(spans);
    expect(strictSpans(written, scheme)).toEqual(spans);
  });

  test("IOB1 becomes IOB2; words become BMES", () => {
    expect(convertTags(tags("I-PER I-PER B-PER O I-LOC"), "IOB1", "IOB2").join(" ")).toBe("B-PER I-PER B-PER O B-LOC");
    expect(convertTags(tags("B I I B B"), "words", "words").join(" ")).toBe("B M E S S");
    const kept = tags("O I-PER");
    expect(convertTags(kept, "IOB2", "IOB2")).toBe(kept);
  });
});

test.each([
  ["IOB2", "O B-PER I-PER B-PER I-PER O B-LOC"],
  ["IOB2", "O I-PER B-LOC I-LOC"],
  ["IOB1", "O I-PER I-PER B-PER O I-LOC"],
  ["IOB1", "O I-PER I-LOC O"],
  ["IOE1", "I-PER E-PER I-PER O"],
  ["IOE2", "I-PER E-PER E-PER O"],
  ["IOBES", "B-PER I-PER E-PER O S-LOC"],
  ["BILOU", "B-PER L-PER O U-LOC"],
  ["BMES", "B-PER M-PER E-PER O S-LOC"],
  ["IOB2", "B I O B"],
  ["words", "B E S B M E"],
  ["words", "B I B"],
  ["plain", "NR VV M PU"],
  ["plain", "n v m"],
])("detects %s in %s", (scheme, sentence) => {
  expect(detectScheme([tags(sentence)])).toBe(scheme);
});

test("no tags at all are plain", () => {
  expect(detectScheme([])).toBe("plain");
});

describe("mayFollow", () => {
  test.each<[WrittenScheme, string, string, boolean]>([
    ["IOB2", "O", "I-PER", false],
    ["IOB2", "B-PER", "I-PER", true],
    ["IOB2", "I-PER", "I-LOC", false],
    ["IOB2", "I-PER", "B-PER", true],
    ["IOBES", "B-PER", "O", false],
    ["IOBES", "B-PER", "E-PER", true],
    ["IOBES", "E-PER", "I-PER", false],
    ["IOBES", "S-PER", "S-PER", true],
    ["BILOU", "I-PER", "L-PER", true],
    ["BILOU", "I-PER", "U-PER", false],
    ["BMES", "M-PER", "E-LOC", false],
    ["words", "B", "S", false],
    ["words", "B", "M", true],
    ["words", "E", "S", true],
  ])("%s: %s %s", (scheme, before, after, expected) => {
    expect(mayFollow(scheme, before, after)).toBe(expected);
  });

  test("starts and ends are as after and before O", () => {
    expect(mayFollow("IOB2", undefined, "I-PER")).toBe(false);
    expect(mayFollow("IOBES", "I-PER", undefined)).toBe(false);
    expect(mayFollow("words", "S", undefined)).toBe(true);
    expect(mayFollow("plain", "NR", undefined)).toBe(true);
  });
});

test("of spans that overlap the longest stay, as comparing each with each finds them", () => {
  const random = new Random(1);
  for (let round = 0; round < 200; round++) {
    const spans = Array.from({ length: random.integer(12) }, (_, i): TagSpan => {
      const start = random.integer(20);
      return { type: `T${i}`, start, end: start + 1 + random.integer(6) };
    });
    const expected: TagSpan[] = [];
    for (const span of [...spans].sort((a, b) => b.end - b.start - (a.end - a.start) || a.start - b.start)) {
      if (expected.every(({ start, end }) => span.end <= start || span.start >= end)) expected.push(span);
    }
    const { kept, dropped } = withoutOverlap(spans);
    expect(kept).toEqual(expected.sort((a, b) => a.start - b.start));
    expect(kept.length + dropped.length).toBe(spans.length);
    for (const [span, by] of dropped) {
      expect(kept).toContain(by);
      expect(span.start < by.end && by.start < span.end).toBe(true);
    }
  }
});

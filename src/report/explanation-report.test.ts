/** Explanations on a page: characters with their colours, what belongs to no token, attention as pictures, nothing hostile. */
import { describe, expect, test } from "vitest";
import type { Explanation } from "../tasks/pipeline/explain.ts";
import { explanationReport } from "./explanation-report.ts";
import { grayImage } from "./gray-image.ts";

const OPTIONS = { version: "1.2.3", date: "2026-01-02" };
const explanation = (changes: Partial<Explanation> = {}): Explanation => ({
  label: "好",
  score: 0.9,
  baselineScore: 0.25,
  tokens: [
    { text: "很", start: 0, end: 1, side: 0, attribution: 0.8 },
    { text: "吵", start: 2, end: 3, side: 0, attribution: -0.4 },
  ],
  completenessError: 0.00123,
  steps: 32,
  baseline: "mask",
  ...changes,
});
const report = (text: string, changes: Partial<Explanation> = {}) =>
  explanationReport({ model: "out", texts: [{ text, explanation: explanation(changes) }], leftOut: 4 }, OPTIONS);

describe("the report", () => {
  test("colours characters by what they add and take, and leaves the others as they are", () => {
    const html = report("很 吵的");
    expect(html).toContain(
      '<span style="background:color-mix(in srgb, #2f9e44 80%, transparent)" title="0.8000">很</span> ' +
        '<span style="background:color-mix(in srgb, #e03131 40%, transparent)" title="-0.4000">吵</span>' +
        '<span class="note">的</span>',
    );
    expect(html).toContain("好: 90.00\u00a0%");
    expect(html).toContain("Baseline: 25.00\u00a0%; 32 steps; completeness error 0.0012.");
    expect(html).toContain("4 further texts are left out");
  });

  test("shows numbers as they are, and the second text of a pair with its own colours", () => {
    const tokens = [{ text: "乙", start: 0, end: 1, side: 1 as const, attribution: 2 }];
    const { label: _, ...number } = explanation({ score: 3.25, tokens });
    const html = explanationReport(
      { model: "out", texts: [{ text: "甲", textPair: "乙", explanation: number }] },
      OPTIONS,
    );
    expect(html).toContain("score: 3.2500");
    expect(html).toMatch(/80%, transparent\)" title="2\.0000">乙</);
    expect(html).not.toMatch(/title="[^"]*">甲</);
  });

  test("attention: a picture for each head, and what is attended most", () => {
    const head = Float32Array.of(0.25, 0.75, 0.5, 0.5);
    const attention = { tokens: ["[CLS]", "<好>"], layers: [[head, head]] };
    const texts = [{ text: "好", explanation: explanation(), attention }];
    const html = explanationReport({ model: "out", texts }, OPTIONS);
    expect(html.match(/<img src="data:image\/bmp;base64,/g)).toHaveLength(2);
    expect(html).toContain("head 2: &lt;好&gt; 62.50\u00a0%, [CLS] 37.50\u00a0%");
  });

  test("nothing of texts, labels and models becomes markup, nothing is loaded", () => {
    const evil = `"><script>alert(1)</script>`;
    const tokens = [{ text: evil, start: 0, end: evil.length, side: 0 as const, attribution: 1 }];
    const html = explanationReport(
      { model: evil, texts: [{ text: evil, explanation: explanation({ label: evil, tokens }) }] },
      OPTIONS,
    );
    expect(html).not.toMatch(/<script|<link|<iframe|src="(?!data:)/);
  });
});

test("a picture is a bitmap of one byte a pixel, its first row on top and large shares dark", () => {
  const address = grayImage(Float32Array.of(0, 1, 0.25, 2, -1, 0, 0, 0, 1), 3);
  const bytes = Buffer.from(address.slice(address.indexOf(",") + 1), "base64");
  expect(bytes.toString("latin1", 0, 2)).toBe("BM");
  expect(bytes.readUInt32LE(2)).toBe(bytes.length);
  expect([bytes.readInt32LE(18), bytes.readInt32LE(22), bytes.readUInt16LE(28)]).toEqual([3, 3, 8]);
  const pixels = bytes.subarray(bytes.readUInt32LE(10));
  expect([...pixels]).toEqual([255, 255, 0, 0, 0, 255, 255, 0, 255, 0, 127, 0]);
});

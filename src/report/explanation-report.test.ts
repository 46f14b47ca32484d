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
  texts: [{ name: "text", text: "很 吵的" }],
  tokens: [
    { text: "很", start: 0, end: 1, source: 0, attribution: 0.8 },
    { text: "吵", start: 2, end: 3, source: 0, attribution: -0.4 },
  ],
  completenessError: 0.00123,
  steps: 32,
  baseline: "mask",
  ...changes,
});
const shown = (...explanations: Explanation[]) => {
  const texts = explanations[0]?.texts ?? [{ name: "text", text: "很 吵的" }];
  return explanationReport({ model: "out", texts: [{ texts, explanations }], leftOut: 4 }, OPTIONS);
};

describe("the report", () => {
  test("colours characters by what they add and take, and leaves the others as they are", () => {
    const html = shown(explanation());
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
    const tokens = [{ text: "乙", start: 0, end: 1, source: 1, attribution: 2 }];
    const texts = [
      { name: "textA", text: "甲" },
      { name: "textB", text: "乙" },
    ];
    const { label: _, ...number } = explanation({ score: 3.25, tokens, texts });
    const html = shown(number);
    expect(html).toContain("score: 3.2500");
    expect(html).toMatch(/80%, transparent\)" title="2\.0000">乙</);
    expect(html).not.toMatch(/title="[^"]*">甲</);
  });

  test("every entity by itself, with a line around it, and a text without any", () => {
    const html = shown(
      explanation({ label: "LOC", span: { source: 0, start: 2, end: 3, text: "吵" } }),
      explanation({ label: "PER", span: { source: 0, start: 0, end: 1, text: "很" } }),
    );
    expect(html).toContain("LOC 吵: 90.00");
    expect(html).toContain("PER 很: 90.00");
    expect(html.match(/<b><span style="[^"]*" title="-0\.4000">吵<\/span><\/b>/g)).toHaveLength(1);
    expect(html.match(/<b><span style="[^"]*" title="0\.8000">很<\/span><\/b>/g)).toHaveLength(1);
    expect(shown()).toContain('Nothing was found</h2><p class="explained" lang="zh">很 吵的</p>');
  });

  test("of a long passage what stands around the window that was read", () => {
    const passage = `${"前".repeat(500)}答${"后".repeat(500)}`;
    const place = { source: 1, start: 500, end: 501, text: "答" };
    const texts = [
      { name: "question", text: "" },
      { name: "context", text: passage },
    ];
    const { label: _, ...answer } = explanation({ span: place, tokens: [{ ...place, attribution: 1 }], texts });
    const html = shown(answer);
    expect(html).toContain("<h2>答: 0.9000</h2>");
    expect(html).toMatch(/>前{60} … 前{60}<\/span><b><span [^>]*>答<\/span><\/b><span class="note">后{60} … 后{60}</);
    expect(html).not.toContain(">question<");
  });

  test("attention: a picture for each head, and what is attended most", () => {
    const head = Float32Array.of(0.25, 0.75, 0.5, 0.5);
    const attention = { tokens: ["[CLS]", "<好>"], layers: [[head, head]] };
    const texts = [{ texts: [], explanations: [explanation()], attention: [attention] }];
    const html = explanationReport({ model: "out", texts }, OPTIONS);
    expect(html.match(/<img src="data:image\/bmp;base64,/g)).toHaveLength(2);
    expect(html).toContain("head 2: &lt;好&gt; 62.50\u00a0%, [CLS] 37.50\u00a0%");
    const both = explanationReport(
      { model: "out", texts: [{ texts: [], explanations: [], attention: [attention, attention] }] },
      OPTIONS,
    );
    expect(both.match(/<img src="data:image\/bmp;base64,/g)).toHaveLength(4);
    expect(both).toContain("Attention in sequence 2 of 2");
  });

  test("nothing of texts, labels and models becomes markup, nothing is loaded", () => {
    const evil = `"><script>alert(1)</script>`;
    const tokens = [{ text: evil, start: 0, end: evil.length, source: 0, attribution: 1 }];
    const texts = [{ name: evil, text: evil }];
    const span = { source: 0, start: 0, end: evil.length, text: evil };
    const one = explanation({ label: evil, tokens, texts, span });
    const html = explanationReport({ model: evil, texts: [{ texts, explanations: [one] }] }, OPTIONS);
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

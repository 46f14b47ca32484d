/** How benchmarks choose their cases, whom they compare with, and how they write it down. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Bench, Facts } from "../bench/bench.ts";
import { casesOf, defaultsOf } from "../bench/cases.ts";
import { costCharts } from "../bench/charts.ts";
import { compare, type SideResult } from "../bench/run-bench.ts";
import { spread } from "../bench/statistics.ts";
import { markdownText } from "../bench/tables.ts";

const bench: Bench = {
  summary: "something",
  settings: { seq: [128, "tokens"], precision: ["f32", "of products"], model: ["", "a folder"] },
  rounds: 1,
  rate: { amount: "tokens", scale: 1, unit: "tokens/s" },
  sides: [],
  comparisons: [{ ours: "ours", theirs: ["slow", "fast", "wrong"], goal: 2, memoryGoal: 0.8 }],
  same: [],
  problem: ({ cosine = 1 }) => (cosine < 0.9 ? "too far" : undefined),
};

function side(name: string, seconds: number, peakMb: number, facts: Facts = {}): SideResult {
  const rate = spread([128 / seconds]);
  return { name, version: "1 | 2", amounts: { tokens: 128 }, seconds: [seconds], rate, peakMb, facts };
}

const sides = [side("ours", 1, 60), side("slow", 4, 100), side("fast", 3, 120), side("wrong", 0.1, 1, { cosine: 0.5 })];

describe("cases", () => {
  it("are the defaults where a benchmark has none", () => {
    expect(casesOf(bench, { seq: 16, batch: 2 })).toEqual([{ seq: 16, precision: "f32", model: "" }]);
  });

  it("that the command line makes alike are one", () => {
    const cases = [
      { seq: 32, precision: "bf16" },
      { seq: 64, precision: "bf16" },
      { seq: 64, precision: "f32" },
    ];
    const found = casesOf({ ...bench, cases }, { seq: 16 });
    expect(found.map(({ seq, precision }) => [seq, precision])).toEqual([
      [16, "bf16"],
      [16, "f32"],
    ]);
  });

  it("of a sweep differ from the defaults in one setting", () => {
    const found = casesOf(
      { ...bench, settings: { ...bench.settings, batch: [8, ""] }, sweeps: { seq: [64, 128], batch: [4, 8] } },
      {},
    );
    expect(found.map(({ seq, batch }) => [seq, batch])).toEqual([
      [64, 8],
      [128, 8],
      [128, 4],
    ]);
  });
});

describe("comparisons", () => {
  it("take the fastest of several, and for memory the smallest, without those whose results are too far off", () => {
    const [found] = compare(bench, sides);
    expect(found).toMatchObject({ theirs: "fast", ratio: { median: 3 }, memory: { theirs: "slow", share: 0.6 } });
  });

  it("are left out where nobody is there to compare with", () => {
    expect(compare(bench, sides.slice(0, 1))).toEqual([]);
  });
});

const machine = { processor: "a processor", threads: 2, memoryGb: 4, system: "Linux", node: "v20", load: 0 };
const resultOf = (seq: number) => {
  const settings = { seq, precision: "f32", model: "" };
  const skipped = [{ side: "absent", reason: "not installed" }];
  return { settings, sides, comparisons: compare(bench, sides), skipped, problems: ["wrong: too far"] };
};
const measured = {
  name: "thing",
  bench,
  machine,
  date: "2026-01-02T03:04:05Z",
  results: [resultOf(64), resultOf(128)],
};

describe("results", () => {
  it("as Markdown name the machine, the command, goals and what was left out", () => {
    const text = markdownText(measured, ["thing-seq.svg"]);
    expect(text).toContain("2026-01-02; a processor; 2 threads, 4 GB");
    expect(text).toContain("`npm run bench -- thing --seq=64 --precision=f32`");
    expect(text).toContain("| ours / fast | 3 (3-3); goal 2: reached | 0.6 of slow; goal 0.8: reached |");
    expect(text).toContain("1 \\| 2");
    expect(text).toContain("- skipped absent: not installed");
    expect(text).toContain("- NOT COMPARABLE: wrong: too far");
    expect(text).toContain("(thing-seq.svg)");
  });

  it("are drawn for each setting of which there are several values", async () => {
    const swept: Bench = { ...bench, sides: sides.map(({ name }) => ({ name, prepare: () => Promise.reject() })) };
    const sweeps = { seq: [64, 128], threads: [1] };
    const charts = await costCharts({ ...measured, bench: { ...swept, sweeps } }, defaultsOf(bench, {}));
    expect([...charts.keys()]).toEqual(["seq"]);
    expect(charts.get("seq")).toContain("ms for 1000 tokens");
  });
});

describe("modules of the built package", () => {
  it("are imported by the paths of the sources that give their types", () => {
    const text = readFileSync(new URL("../bench/built.ts", import.meta.url), "utf8");
    const named = [...text.matchAll(/readonly "?([\w/-]+)"?: typeof import\("\.\.\/src\/([\w/-]+)\.ts"\)/g)];
    expect(named.length).toBeGreaterThan(10);
    expect(named.map(([, name]) => name)).toEqual(named.map(([, , path]) => path));
  });
});

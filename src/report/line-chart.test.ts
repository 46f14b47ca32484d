/** Line charts are well-formed SVG that holds what was asked for. */
import { describe, expect, test } from "vitest";
import { ArgumentError } from "../errors.ts";
import { lineChart } from "./line-chart.ts";

const labels = { title: "预训练损失", xLabel: "步", yLabel: "loss" };
const ramp = (count: number): [number, number][] => Array.from({ length: count }, (_, i) => [i, 5 - i / count]);
const countOf = (svg: string, pattern: RegExp): number => svg.match(pattern)?.length ?? 0;

describe("lineChart", () => {
  test("shows title, axes, legend and reference lines", async () => {
    const svg = await lineChart({
      ...labels,
      series: [{ name: "训练", points: ramp(10) }],
      referenceLines: [{ y: 4.2, label: "基线 4.20" }],
    });
    expect(svg).toMatch(/^<svg .*<\/svg>$/s);
    for (const text of ["预训练损失", "步", "loss", "训练", "基线 4.20", "Noto Sans CJK SC"])
      expect(svg).toContain(text);
  });

  test("draws a short series as it is and a smoothed line over a long one", async () => {
    const lines = async (count: number): Promise<number> =>
      countOf(
        await lineChart({ ...labels, series: [{ name: "a", points: ramp(count) }] }),
        /role-line-mark|mark-line/g,
      );
    expect(await lines(200)).toBe((await lines(10)) + 1);
  });

  test("smooths: the heavy line varies less than the points", async () => {
    const noisy = ramp(400).map(([x, y], i): [number, number] => [x, y + (i % 2 === 0 ? 1 : -1)]);
    const svg = await lineChart({ ...labels, series: [{ name: "a", points: noisy }] });
    const heights = [...svg.matchAll(/<path[^>]* d="(M[^"]*L[^"]*)"[^>]*stroke-width="2.25"/g)].map(([, path]) =>
      (path as string).split("L").map((point) => Number(point.replace("M", "").split(",")[1])),
    );
    const steps = heights[0]?.slice(30, -30).map((y, i, all) => Math.abs(y - (all[i - 1] ?? y))) ?? [];
    expect(steps.length).toBeGreaterThan(300);
    expect(Math.max(...steps)).toBeLessThan(20);
  });

  test("keeps the file small when a run is long", async () => {
    const svg = await lineChart({ ...labels, series: [{ name: "a", points: ramp(100_000) }] });
    expect(svg.length).toBeLessThan(150_000);
  });

  test("leaves out points that are not finite and draws a single one", async () => {
    const points: [number, number][] = [
      [1, 2],
      [2, Number.NaN],
      [3, Number.POSITIVE_INFINITY],
    ];
    const svg = await lineChart({ ...labels, series: [{ name: "a", points }] });
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  test("escapes markup in names", async () => {
    const svg = await lineChart({ ...labels, title: "<b>&", series: [{ name: '"<i>', points: ramp(3) }] });
    expect(svg).toContain("&lt;b&gt;&amp;");
    expect(svg).not.toContain("<i>");
  });

  test("is the same for the same numbers", async () => {
    const draw = (): Promise<string> => lineChart({ ...labels, series: [{ name: "a", points: ramp(60) }] });
    expect(await draw()).toBe(await draw());
  });

  test("refuses to draw nothing", async () => {
    await expect(lineChart({ ...labels, series: [{ name: "a", points: [[0, Number.NaN]] }] })).rejects.toThrow(
      ArgumentError,
    );
  });
});

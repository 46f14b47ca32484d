/** The results of runs that differ in their seeds: a dot for each run, a tick at each model's mean, the published band behind. */
import type { Spec } from "vega";
import { CHART_COLORS, drawChart, MUTED, PAPER, textConfig } from "./chart-style.ts";

/** The runs of a model. */
export interface SeedRuns {
  readonly model: string;
  /** Shares in [0, 1]. */
  readonly values: readonly number[];
  /** What is published: from the mean to the maximum. */
  readonly band?: { readonly low: number; readonly high: number };
}

/** What a seed chart shows. */
export interface SeedChartOptions {
  readonly title: string;
  /** What is measured. */
  readonly label: string;
  readonly runs: readonly SeedRuns[];
}

const ROW_PIXELS = 34;
const WIDTH_PIXELS = 480;

/** Draws the chart as an SVG document. */
export function seedChart({ title, label, runs }: SeedChartOptions): Promise<string> {
  const dots = runs.flatMap(({ model, values }) => values.map((value) => ({ model, x: 100 * value })));
  const bands = runs.flatMap(({ model, band }) =>
    band === undefined ? [] : [{ model, low: 100 * band.low, high: 100 * band.high }],
  );
  const means = runs.map(({ model, values }) => ({
    model,
    x: (100 * values.reduce((sum, value) => sum + value, 0)) / values.length,
  }));
  const all = [...dots.map(({ x }) => x), ...bands.flatMap(({ low, high }) => [low, high])];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const margin = Math.max(0.1, (high - low) / 12);
  const spec: Spec = {
    width: WIDTH_PIXELS,
    height: ROW_PIXELS * runs.length,
    padding: 16,
    background: PAPER,
    title: { text: title, anchor: "start", frame: "group", offset: 12 },
    config: textConfig(),
    data: [
      { name: "dots", values: dots },
      { name: "bands", values: bands },
      { name: "means", values: means },
    ],
    scales: [
      { name: "x", type: "linear", range: "width", domain: [low - margin, high + margin], zero: false },
      { name: "y", type: "band", range: "height", domain: runs.map(({ model }) => model), padding: 0.3 },
    ],
    axes: [
      { scale: "x", orient: "bottom", title: `${label}, %`, grid: true, tickCount: 6 },
      { scale: "y", orient: "left", grid: false, ticks: false, labelLimit: 260 },
    ],
    marks: [bandMarks(), meanMarks(), dotMarks()],
  };
  return drawChart(spec, true);
}

type Mark = NonNullable<Spec["marks"]>[number];
const row = { scale: "y", field: "model" } as const;
const middle = { ...row, band: 0.5 } as const;

function bandMarks(): Mark {
  return {
    type: "rect",
    from: { data: "bands" },
    encode: {
      enter: {
        x: { scale: "x", field: "low" },
        x2: { scale: "x", field: "high" },
        y: row,
        height: { scale: "y", band: 1 },
        fill: { value: CHART_COLORS[2] as string },
        fillOpacity: { value: 0.22 },
      },
    },
  };
}

function meanMarks(): Mark {
  return {
    type: "rect",
    from: { data: "means" },
    encode: {
      enter: {
        x: { scale: "x", field: "x", offset: -1 },
        width: { value: 2 },
        y: row,
        height: { scale: "y", band: 1 },
        fill: { value: MUTED },
      },
    },
  };
}

function dotMarks(): Mark {
  return {
    type: "symbol",
    from: { data: "dots" },
    encode: {
      enter: {
        x: { scale: "x", field: "x" },
        y: middle,
        fill: { value: CHART_COLORS[0] as string },
        fillOpacity: { value: 0.75 },
        size: { value: 60 },
      },
    },
  };
}

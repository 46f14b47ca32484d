/**
 * Line charts as SVG, drawn by Vega: the loss curve of a run and its like. Raw points lie pale under a smoothed line,
 * so that both noise and trend can be read.
 */
import type { Spec } from "vega";
import { ArgumentError, verbatim } from "../errors.ts";
import { mean } from "../util/mean.ts";
import { CHART_COLORS, drawChart, MUTED, PAPER, textConfig } from "./chart-style.ts";
import { FONT_FAMILY } from "./report-style.ts";

/** A line of a chart. */
export interface ChartSeries {
  /** In the legend; the only series of a chart may have an empty one, and there is no legend then. */
  readonly name: string;
  /** Pairs [x, y] with ascending x; points that are not finite are left out. */
  readonly points: readonly (readonly [number, number])[];
}

/** A horizontal line to compare with, such as a baseline. */
export interface ReferenceLine {
  readonly y: number;
  readonly label: string;
}

/** What a line chart shows. */
export interface LineChartOptions {
  readonly title: string;
  readonly subtitle?: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly ChartSeries[];
  readonly referenceLines?: readonly ReferenceLine[];
  /** Size of the plot in pixels, without title and axes; 720 by 360 when left out. */
  readonly width?: number;
  readonly height?: number;
  /** The most points of a series; longer ones are averaged. A line has no use for more points than pixels: 1000. */
  readonly maxPoints?: number;
  /** False draws long series as they are, where there is no noise in them; true by default. */
  readonly smooth?: boolean;
  /** Whether the picture turns dark where the reader's system is; false. */
  readonly followsColorScheme?: boolean;
}

interface Row {
  readonly series: string;
  readonly x: number;
  readonly y: number;
}

/** A long run would make the file huge. */
const MAX_POINTS = 1000;
/** Shorter series are drawn as they are. */
const MIN_POINTS_TO_SMOOTH = 40;
/** The smoothed line averages over a window of this part of the series. */
const SMOOTHED_PART = 1 / 25;

/**
 * Draws a line chart.
 * @returns the SVG document.
 * @throws {ArgumentError} when no series has a finite point.
 */
export async function lineChart(options: LineChartOptions): Promise<string> {
  const { maxPoints = MAX_POINTS, followsColorScheme = false } = options;
  const series = options.series.map(({ name, points }) => ({
    name,
    points: thin(points.filter(isFinitePoint), maxPoints),
  }));
  if (series.every(({ points }) => points.length === 0)) {
    throw new ArgumentError({
      where: "lineChart",
      expected: "a series with a finite point",
      got: verbatim("none"),
      hint: "was anything measured?",
    });
  }
  return drawChart(chartSpec(options, series), followsColorScheme);
}

function isFinitePoint([x, y]: readonly [number, number]): boolean {
  return Number.isFinite(x) && Number.isFinite(y);
}

/** At most so many points: the means of runs of neighbours. */
function thin(points: ChartSeries["points"], maxPoints: number): ChartSeries["points"] {
  const run = Math.ceil(points.length / maxPoints);
  if (run <= 1) return points;
  return Array.from({ length: Math.ceil(points.length / run) }, (_, i) => {
    const group = points.slice(i * run, (i + 1) * run);
    return [mean(group.map(([x]) => x)), mean(group.map(([, y]) => y))] as const;
  });
}

function chartSpec(options: LineChartOptions, series: readonly ChartSeries[]): Spec {
  const { title, subtitle, xLabel, yLabel, referenceLines = [], width = 720, height = 360, smooth = true } = options;
  const hasMany = (one: ChartSeries): boolean => one.points.length >= MIN_POINTS_TO_SMOOTH;
  const isLong = (one: ChartSeries): boolean => smooth && hasMany(one);
  return {
    width,
    height,
    padding: 16,
    background: PAPER,
    title: {
      text: title,
      ...(subtitle === undefined ? {} : { subtitle }),
      anchor: "start",
      frame: "group",
      offset: 12,
    },
    config: textConfig(),
    data: [
      { name: "raw", values: rowsOf(series.filter(isLong)) },
      { name: "exact", values: rowsOf(series.filter((one) => !isLong(one))) },
      { name: "few", values: rowsOf(series.filter((one) => !hasMany(one))) },
      ...series.filter(isLong).map((one, i) => smoothed(one, `smooth${i}`)),
      { name: "reference", values: referenceLines.map(({ y, label }) => ({ y, label })) },
    ],
    scales: scales(series, referenceLines),
    axes: [
      { scale: "x", orient: "bottom", title: xLabel, grid: false, tickCount: 8 },
      { scale: "y", orient: "left", title: yLabel, grid: true, tickCount: 6 },
    ],
    legends: series.some(({ name }) => name !== "")
      ? [{ stroke: "color", orient: "top", direction: "horizontal", symbolType: "stroke", offset: 8, labelLimit: 320 }]
      : [],
    marks: [
      line("raw", { width: 1, opacity: 0.28 }),
      line("exact", { width: 2.25, opacity: 1 }),
      dots("few"),
      ...series.filter(isLong).map((_, i) => line(`smooth${i}`, { width: 2.25, opacity: 1 })),
      ...referenceMarks(),
    ],
  };
}

function rowsOf(series: readonly ChartSeries[]): Row[] {
  return series.flatMap(({ name, points }) => points.map(([x, y]) => ({ series: name, x, y })));
}

/** A series averaged over a centred window that is cut at the ends. */
function smoothed(series: ChartSeries, name: string): NonNullable<Spec["data"]>[number] {
  const half = Math.max(1, Math.round((series.points.length * SMOOTHED_PART) / 2));
  return {
    name,
    values: rowsOf([series]),
    transform: [{ type: "window", frame: [-half, half], ops: ["mean"], fields: ["y"], as: ["y"] }],
  };
}

function scales(series: readonly ChartSeries[], references: readonly ReferenceLine[]): NonNullable<Spec["scales"]> {
  const points = series.flatMap((one) => one.points);
  const ys = [...points.map(([, y]) => y), ...references.map(({ y }) => y)];
  return [
    { name: "x", type: "linear", range: "width", domain: bounds(points.map(([x]) => x)), zero: false },
    { name: "y", type: "linear", range: "height", domain: bounds(ys), zero: false, nice: true },
    { name: "color", type: "ordinal", range: CHART_COLORS, domain: series.map(({ name }) => name) },
  ];
}

function bounds(values: readonly number[]): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  // A single value still needs an axis with room.
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

type Mark = NonNullable<Spec["marks"]>[number];

/** The lines of a data set, one for each of its series. */
function line(data: string, style: { readonly width: number; readonly opacity: number }): Mark {
  return {
    type: "group",
    from: { facet: { name: `${data}-line`, data, groupby: "series" } },
    marks: [
      {
        type: "line",
        from: { data: `${data}-line` },
        encode: {
          enter: {
            x: { scale: "x", field: "x" },
            y: { scale: "y", field: "y" },
            stroke: { scale: "color", field: "series" },
            strokeWidth: { value: style.width },
            strokeOpacity: { value: style.opacity },
            strokeJoin: { value: "round" },
          },
        },
      },
    ],
  };
}

/** A dot for each point of a data set. */
function dots(data: string): Mark {
  return {
    type: "symbol",
    from: { data },
    encode: {
      enter: {
        x: { scale: "x", field: "x" },
        y: { scale: "y", field: "y" },
        fill: { scale: "color", field: "series" },
        size: { value: 28 },
      },
    },
  };
}

/** Dashed rules over the whole width, their labels above the right end. */
function referenceMarks(): Mark[] {
  const y = { scale: "y", field: "y" } as const;
  const stroke = { stroke: { value: MUTED }, strokeDash: { value: [5, 4] }, strokeWidth: { value: 1.25 } };
  return [
    {
      type: "rule",
      from: { data: "reference" },
      encode: { enter: { x: { value: 0 }, x2: { signal: "width" }, y, ...stroke } },
    },
    {
      type: "text",
      from: { data: "reference" },
      encode: {
        enter: {
          x: { signal: "width - 4" },
          y: { ...y, offset: -5 },
          align: { value: "right" },
          text: { field: "label" },
          fill: { value: MUTED },
          font: { value: FONT_FAMILY },
          fontSize: { value: 12 },
        },
      },
    },
  ];
}

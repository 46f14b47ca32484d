/** How charts look, and how Vega draws them as SVG. */
import type { Spec } from "vega";
import { FONT_FAMILY } from "./report-style.ts";

/** Okabe and Ito's colours: told apart also by those who do not see all colours. */
export const CHART_COLORS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
/** The background. */
export const PAPER = "#ffffff";
const INK = "#1f2933";
/** What is to be read last: axes, references. */
export const MUTED = "#616e7c";
const GRID = "#e4e7eb";
/** In place of the light ones, where all are too dark on dark paper. */
const DARK: Readonly<Record<string, string>> = {
  [PAPER]: "#1b2128",
  [INK]: "#e4e8ed",
  [MUTED]: "#9fabb8",
  [GRID]: "#333d48",
  "#0072b2": "#4fa8e0",
  "#d55e00": "#ef7d31",
  "#009e73": "#23bd92",
};

/**
 * Draws a chart.
 * @param followsColorScheme - whether the picture turns dark where the reader's system is.
 * @returns the SVG document.
 */
export async function drawChart(spec: Spec, followsColorScheme: boolean): Promise<string> {
  // Loaded here: it takes longer to load than most commands take to run.
  const { parse, View } = await import("vega");
  const view = new View(parse(spec), { renderer: "none" });
  try {
    const svg = await view.toSVG();
    return followsColorScheme ? svg.replace(">", `>${darkStyle()}`) : svg;
  } finally {
    view.finalize();
  }
}

/** Rules over the colours that Vega wrote as attributes, which they outweigh. */
function darkStyle(): string {
  const rules = Object.entries(DARK).map(
    ([light, dark]) => `[fill="${light}"]{fill:${dark}}[stroke="${light}"]{stroke:${dark}}`,
  );
  return `<style>@media (prefers-color-scheme:dark){${rules.join("")}}</style>`;
}

/** Fonts and colours of titles, axes and legends. */
export function textConfig(): NonNullable<Spec["config"]> {
  return {
    title: {
      font: FONT_FAMILY,
      fontSize: 17,
      fontWeight: 600,
      color: INK,
      subtitleFont: FONT_FAMILY,
      subtitleColor: MUTED,
    },
    axis: {
      labelFont: FONT_FAMILY,
      labelFontSize: 12,
      labelColor: MUTED,
      titleFont: FONT_FAMILY,
      titleFontSize: 13,
      titleFontWeight: 500,
      titleColor: INK,
      titlePadding: 10,
      gridColor: GRID,
      domain: false,
      tickColor: GRID,
    },
    legend: {
      labelFont: FONT_FAMILY,
      labelFontSize: 13,
      labelColor: INK,
      symbolStrokeWidth: 3,
      symbolSize: 220,
      columnPadding: 32,
    },
  };
}

/** Charts of what is measured over several values of a setting: the cost of each side against it. */
import { type ChartSeries, lineChart } from "../src/report/line-chart.ts";
import type { Bench, Settings } from "./bench.ts";
import type { BenchResult } from "./run-bench.ts";
import type { Measured } from "./tables.ts";

/** Cost is the time of so many of what the rate counts. */
const COUNTED = 1000;

/** The SVG of each swept setting that has more than one value. @param defaults - of all settings in this run. */
export async function costCharts({ name, bench, results }: Measured, defaults: Settings): Promise<Map<string, string>> {
  const charts = new Map<string, string>();
  const unit = bench.rate.unit.replace(/\/s$/, "");
  for (const setting of Object.keys(bench.sweeps ?? {})) {
    const swept = resultsOf(setting, results, defaults);
    if (swept.length < 2) continue;
    const rest = Object.entries(defaults).filter(([key, value]) => key !== setting && value !== "");
    const svg = await lineChart({
      title: `${name} against ${setting}`,
      subtitle: rest.map(([key, value]) => `${key} ${value}`).join(", "),
      xLabel: bench.settings[setting]?.[1] ?? setting,
      yLabel: `ms for ${COUNTED} ${unit}`,
      series: seriesOf(bench, setting, swept),
      smooth: false,
    });
    charts.set(setting, svg);
  }
  return charts;
}

/** Those in which nothing but the setting differs from the defaults, by its value. */
function resultsOf(setting: string, results: readonly BenchResult[], defaults: Settings): BenchResult[] {
  const isSwept = ({ settings }: BenchResult) =>
    Object.entries(settings).every(([key, value]) => key === setting || value === defaults[key]);
  return results.filter(isSwept).sort((a, b) => Number(a.settings[setting]) - Number(b.settings[setting]));
}

function seriesOf({ sides }: Bench, setting: string, results: readonly BenchResult[]): ChartSeries[] {
  const all = sides.map(({ name }) => ({
    name,
    points: results.flatMap(({ settings, sides }) => {
      const side = sides.find((one) => one.name === name);
      return side === undefined ? [] : [[Number(settings[setting]), (1000 * COUNTED) / side.rate.median] as const];
    }),
  }));
  return all.filter(({ points }) => points.length > 0);
}

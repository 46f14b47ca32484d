/** The pictures of a run, drawn from its metrics.jsonl: loss and accuracy by step. */
import { lineChart } from "../report/line-chart.ts";
import { accuracyChart, fineTuningCharts, lossChart, type RunChart } from "../report/run-charts.ts";
import { type RunFolder, readMetrics } from "./run-folder.ts";

/** The name of the loss curve within a run's folder. */
export const LOSS_CURVE_FILE = "loss-curve.svg";
/** The name of the accuracy curve within a run's folder. */
export const ACCURACY_CURVE_FILE = "accuracy-curve.svg";

/** The name of the curve of a fine-tuning's metric within its folder. */
export const METRIC_CURVE_FILE = "metric-curve.svg";

/** Draws both curves into the run's folder; draws nothing before anything is measured. */
export async function drawCurves(folder: RunFolder): Promise<void> {
  const metrics = await readMetrics(folder.path);
  await draw(folder, [
    [LOSS_CURVE_FILE, lossChart({ metrics })],
    [ACCURACY_CURVE_FILE, accuracyChart({ metrics })],
  ]);
}

/** Draws the curves of the loss and of a metric into the folder of a fine-tuning. */
export async function drawFineTuningCurves(folder: RunFolder, metric: string): Promise<void> {
  const { loss, quality } = fineTuningCharts({ metrics: await readMetrics(folder.path) }, metric);
  await draw(folder, [
    [LOSS_CURVE_FILE, loss],
    [METRIC_CURVE_FILE, quality],
  ]);
}

async function draw(folder: RunFolder, charts: readonly (readonly [name: string, chart: RunChart])[]): Promise<void> {
  for (const [name, chart] of charts) {
    if (chart.series.length > 0) await folder.write(name, await lineChart({ ...chart, xLabel: "step" }));
  }
}

/** The pictures of a run, drawn from its metrics.jsonl: loss and accuracy by step. */
import { lineChart } from "../report/line-chart.ts";
import { accuracyChart, lossChart } from "../report/run-charts.ts";
import { type RunFolder, readMetrics } from "./run-folder.ts";

/** The name of the loss curve within a run's folder. */
export const LOSS_CURVE_FILE = "loss-curve.svg";
/** The name of the accuracy curve within a run's folder. */
export const ACCURACY_CURVE_FILE = "accuracy-curve.svg";

/** Draws both curves into the run's folder; draws nothing before anything is measured. */
export async function drawCurves(folder: RunFolder): Promise<void> {
  const metrics = await readMetrics(folder.path);
  const charts = [
    [LOSS_CURVE_FILE, lossChart({ metrics })],
    [ACCURACY_CURVE_FILE, accuracyChart({ metrics })],
  ] as const;
  for (const [name, chart] of charts) {
    if (chart.series.length > 0) await folder.write(name, await lineChart({ ...chart, xLabel: "step" }));
  }
}

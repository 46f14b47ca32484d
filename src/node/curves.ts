/** The pictures of a run, drawn from its metrics.jsonl: loss and accuracy by step. */
import { type ChartSeries, lineChart } from "../report/line-chart.ts";
import { type MetricsLine, type RunFolder, readMetrics } from "./run-folder.ts";

/** The name of the loss curve within a run's folder. */
export const LOSS_CURVE_FILE = "loss-curve.svg";
/** The name of the accuracy curve within a run's folder. */
export const ACCURACY_CURVE_FILE = "accuracy-curve.svg";

/** Draws both curves into the run's folder; draws nothing before anything is measured. */
export async function drawCurves(folder: RunFolder): Promise<void> {
  const lines = await readMetrics(folder.path);
  const training = lines.filter(({ evaluation }) => evaluation === undefined);
  const heldOut = lines.flatMap(({ step, evaluation }) =>
    evaluation === undefined ? [] : [{ ...(evaluation as object), step } as MetricsLine],
  );
  if (training.length === 0) return;
  const hasPairs = training.some(({ nspLoss }) => Number(nspLoss) > 0);
  const loss = [series("training: MLM", training, "mlmLoss")];
  if (hasPairs) loss.unshift(series("training: MLM + NSP", training, "loss"));
  const accuracy = [series("training", training, "mlmAccuracy")];
  if (heldOut.length > 0) {
    loss.push(series("held-out: MLM", heldOut, "mlmLoss"));
    accuracy.push(series("held-out", heldOut, "mlmAccuracy"));
  }
  const baseline = heldOut.at(-1)?.["mostFrequentAccuracy"];
  const common = { xLabel: "step" };
  await folder.write(
    LOSS_CURVE_FILE,
    await lineChart({ ...common, title: "Pre-training loss", yLabel: "loss (nats)", series: loss }),
  );
  await folder.write(
    ACCURACY_CURVE_FILE,
    await lineChart({
      ...common,
      title: "Accuracy of masked tokens",
      yLabel: "accuracy",
      series: accuracy,
      ...(typeof baseline === "number" ? { referenceLines: [{ y: baseline, label: "most frequent token" }] } : {}),
    }),
  );
}

function series(name: string, lines: readonly MetricsLine[], field: string): ChartSeries {
  return { name, points: lines.map((line) => [line.step, Number(line[field])] as const) };
}

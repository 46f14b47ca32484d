/** Which curves of a run are drawn, alone or laid over those of other runs. */
import type { ChartSeries, LineChartOptions } from "./line-chart.ts";
import { evaluations, type Measured, numberAt, type RunData, trainingLines } from "./run-data.ts";

/** What a chart shows, and what it is in words. */
export type RunChart = Omit<LineChartOptions, "xLabel">;

const LOSS = "loss (nats)";

/** The charts of one run, or of several over each other; those that nothing was measured for are left out. */
export function runCharts(runs: readonly RunData[]): RunChart[] {
  const [only] = runs;
  const charts = runs.length === 1 && only !== undefined ? qualityOf(only) : qualityCompared(runs);
  return [...charts, ...courseOf(runs)].filter(({ series }) => series.some(({ points }) => points.length > 0));
}

/** The loss of a run, in training and held out. */
export function lossChart(run: Pick<RunData, "metrics">): RunChart {
  const [training, heldOut] = [trainingLines(run), evaluations(run)];
  const both = hasPairs(training) ? [line("training: MLM + NSP", training, "loss")] : [];
  return {
    title: "Pre-training loss",
    yLabel: LOSS,
    series: measured([...both, line("training: MLM", training, "mlmLoss"), line("held-out: MLM", heldOut, "mlmLoss")]),
  };
}

/** How many masked tokens a run predicts. */
export function accuracyChart(run: Pick<RunData, "metrics">): RunChart {
  const [training, heldOut] = [trainingLines(run), evaluations(run)];
  const baseline = numberAt(heldOut.at(-1), "mostFrequentAccuracy");
  return {
    title: "Accuracy of masked tokens",
    yLabel: "accuracy",
    series: measured([
      line("training", training, "mlmAccuracy"),
      line("held-out", heldOut, "mlmAccuracy"),
      line("held-out: whole words", heldOut, "wordAccuracy"),
    ]),
    ...(baseline === undefined ? {} : { referenceLines: [{ y: baseline, label: "most frequent token" }] }),
  };
}

/** The loss of a fine-tuning, and a metric of its evaluations. */
export function fineTuningCharts(
  run: Pick<RunData, "metrics">,
  metric: string,
): { readonly loss: RunChart; readonly quality: RunChart } {
  const [training, heldOut] = [trainingLines(run), evaluations(run)];
  return {
    loss: {
      title: "Fine-tuning loss",
      yLabel: LOSS,
      series: measured([line("training", training, "loss"), line("development", heldOut, "loss")]),
    },
    quality: { title: `Development: ${metric}`, yLabel: metric, series: measured([line("", heldOut, metric)]) },
  };
}

function qualityOf(run: RunData): RunChart[] {
  const [training, heldOut] = [trainingLines(run), evaluations(run)];
  const pairs: RunChart = {
    title: "Accuracy of next sentences",
    yLabel: "accuracy",
    series: measured([line("training", training, "nspAccuracy"), line("held-out", heldOut, "nspAccuracy")]),
  };
  return [lossChart(run), accuracyChart(run), ...(hasPairs(training) ? [pairs] : [])];
}

function qualityCompared(runs: readonly RunData[]): RunChart[] {
  const compared = (title: string, yLabel: string, lines: typeof evaluations, field: string): RunChart => ({
    title,
    yLabel,
    series: measured(runs.map((run) => line(run.name, lines(run), field))),
  });
  const paired = runs.filter((run) => hasPairs(trainingLines(run)));
  return [
    compared("Held-out: MLM loss", LOSS, evaluations, "mlmLoss"),
    compared("Held-out: accuracy of masked tokens", "accuracy", evaluations, "mlmAccuracy"),
    compared("Held-out: accuracy of whole words", "accuracy", evaluations, "wordAccuracy"),
    compared("Training: MLM loss", LOSS, trainingLines, "mlmLoss"),
    compared("Training: accuracy of masked tokens", "accuracy", trainingLines, "mlmAccuracy"),
    {
      title: "Held-out: accuracy of next sentences",
      yLabel: "accuracy",
      series: measured(paired.map((run) => line(run.name, evaluations(run), "nspAccuracy"))),
    },
  ];
}

/** What is of one kind in all runs: the rate, the gradient, the speed. */
function courseOf(runs: readonly RunData[]): RunChart[] {
  const course = (title: string, yLabel: string, field: string): RunChart => ({
    title,
    yLabel,
    series: measured(runs.map((run) => line(runs.length === 1 ? "" : run.name, trainingLines(run), field))),
  });
  return [
    { ...course("Learning rate", "rate", "learningRate"), smooth: false },
    course("Gradient norm", "norm before clipping", "gradientNorm"),
    course("Throughput", "tokens/s, padding not counted", "tokensPerSecond"),
  ];
}

/** Whether a run predicts next sentences. */
export function hasPairs(training: readonly Measured[]): boolean {
  return training.some((one) => (numberAt(one, "nspLoss") ?? 0) > 0);
}

function line(name: string, lines: readonly Measured[], field: string): ChartSeries {
  const points = lines.flatMap((one) => {
    const value = numberAt(one, field);
    return value === undefined ? [] : [[one.step, value] as const];
  });
  return { name, points };
}

function measured(series: readonly ChartSeries[]): ChartSeries[] {
  return series.filter(({ points }) => points.length > 0);
}

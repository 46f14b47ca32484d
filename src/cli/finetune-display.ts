/** What the user sees of a fine-tuning: notes, the model, progress, evaluations, scores of all runs. */
import { join } from "node:path";
import { LOSS_CURVE_FILE, METRIC_CURVE_FILE } from "../node/curves.ts";
import type { FineTuneResult } from "../node/fine-tune.ts";
import type { FineTuneEnvironment } from "../node/fine-tuning-inputs.ts";
import type { FineTuningRunResult, FineTuningStart } from "../node/fine-tuning-run.ts";
import { METRICS_FILE } from "../node/run-folder.ts";
import { areShares } from "../report/values.ts";
import type { TaskName } from "../tasks/datasets/dataset.ts";
import type { FineTuningEvaluation } from "../tasks/fine-tuning.ts";
import { statisticsOf } from "../tasks/metrics/significance.ts";
import { dataOfTask } from "../tasks/tasks.ts";
import { inPercent } from "../util/percent.ts";
import { several } from "../util/several.ts";
import type { MeasuredProgress, Output, Progress } from "./command.ts";
import { noteText } from "./labelled-data.ts";
import { formatCount } from "./numbers.ts";

/** What the user sees of a fine-tuning. */
export class FineTuningDisplay {
  readonly #output: Output;
  #progress: MeasuredProgress | undefined;
  /** Of what is measured between updates, or after them. */
  #evaluation: Progress | undefined;
  #examplesPerSecond = 0;
  #start: FineTuningStart | undefined;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Who watches the runs. */
  readonly watcher: Omit<FineTuneEnvironment, "threads" | "runtime" | "download" | "signal"> = {
    onNote: (note) => this.#output.note(noteText(note)),
    onLabels: ({ rows }) => {
      const counts = rows.slice(0, MOST_LABELS).map(({ label, counts: [train = 0], share }) => {
        return `${label} ${train} (${inPercent(share)} %)`;
      });
      const more = rows.length > MOST_LABELS ? `, and ${rows.length - MOST_LABELS} more` : "";
      this.#output.note(`labels: ${counts.join(", ")}${more}`);
    },
    onEncode: (done, examples) => {
      this.#progress ??= this.#output.progress({ total: examples, unit: "examples", label: "tokens" });
      this.#progress.update(done);
      if (done === examples) this.stop();
    },
    onStart: (run) => this.#began(run),
    onStep: (step, { loss }) => {
      const rate = this.#examplesPerSecond;
      this.#progress?.update(step, {
        loss: loss.toFixed(3),
        ...(rate === 0 ? {} : { "examples/s": rate.toFixed(rate < 10 ? 1 : 0) }),
      });
    },
    onLog: ({ step, epoch, loss, learningRate, gradientNorm, examplesPerSecond = 0, tokensPerSecond, ...rest }) => {
      this.#examplesPerSecond = examplesPerSecond;
      const { gigaflopsPerSecond, paddingShare } = rest;
      const measured = { learningRate, gradientNorm, examplesPerSecond, tokensPerSecond, gigaflopsPerSecond };
      this.#output.json({ seed: this.#seed, step, epoch, loss, ...measured, paddingShare });
    },
    onEvaluation: (step, evaluation, average) => this.#evaluated(step, evaluation, average),
    onEvaluate: (done, batches) => {
      const size = { total: batches, unit: "batches", label: `${this.#name}, evaluating` };
      this.#evaluation ??= this.#progress?.within(size) ?? this.#output.progress(size);
      this.#evaluation.update(done);
      if (done === batches) this.#endEvaluation();
    },
    onResult: () => this.stop(),
  };

  stop(): void {
    this.#endEvaluation();
    this.#progress?.stop();
    this.#progress = undefined;
  }

  #endEvaluation(): void {
    this.#evaluation?.stop();
    this.#evaluation = undefined;
  }

  /** Of the run, beside its progress. */
  get #name(): string {
    return `seed ${this.#seed}`;
  }

  get #seed(): number | undefined {
    return this.#start?.plan.settings.seed;
  }

  #began(run: FineTuningStart): void {
    this.stop();
    const { config, engine, parameters, step, steps, plan, initialized, task } = run;
    if (this.#start === undefined) {
      const { settings, batchSize, epochs } = plan;
      const { labels } = task.settings;
      const { numHiddenLayers, hiddenSize } = config;
      this.#output.note(
        `${task.settings.task}${labels === undefined ? "" : `, ${several(labels.length, "label")}`}; ` +
          `${numHiddenLayers} layers, ${hiddenSize} wide, ${formatCount(parameters)} parameters; ` +
          `${engine.name} ${engine.version}, ${engine.precision}, ${several(engine.threads, "thread")}`,
      );
      this.#output.note(
        `${several(epochs, "epoch")} = ${several(settings.steps, "update")} of ` +
          `${several(batchSize * settings.gradientAccumulationSteps, "example")}, learning rate ` +
          `${rate(settings.learningRate)}, warm-up ${several(settings.warmupSteps, "update")}, ${settings.optimizer}`,
      );
      if (initialized.length > 0)
        this.#output.note(`not in the model, so started at random: ${initialized.join(", ")}`);
    }
    this.#start = run;
    this.#examplesPerSecond = 0;
    if (step > 0) this.#output.note(`seed ${plan.settings.seed}: resuming at step ${step} of ${steps}`);
    if (step >= steps) return;
    this.#progress = this.#output.progress({ total: steps, unit: "steps", label: this.#name });
  }

  #evaluated(
    step: number,
    { loss, evaluation }: FineTuningEvaluation,
    average: FineTuningEvaluation | undefined,
  ): void {
    const { metrics } = evaluation;
    const averaged = average === undefined ? {} : { average: average.evaluation.metrics };
    this.#output.json({ seed: this.#seed, step, evaluation: { loss, ...metrics }, ...averaged });
    const primary = this.#start?.task.primaryMetric ?? "";
    const mean = average?.evaluation.metrics[primary];
    this.#output.note(
      `step ${step}: dev loss ${loss.toFixed(3)}, ${shown(metrics, primary)}` +
        (mean === undefined ? "" : `; averaged weights: ${primary} ${score(mean, primary)}`),
    );
  }

  end({ output, title, dataset, task, primaryMetric, isLowerBetter, runs, best }: FineTuneResult): void {
    this.stop();
    const statistics = statisticsBySplit(runs, primaryMetric);
    this.#output.json({ output, task, primaryMetric, runs, best: best.seed, statistics });
    for (const run of runs) if (run.isStoppedEarly) this.#output.note(stoppedEarly(run));
    const splits = Object.keys(best.scores);
    if (splits.length > 0) {
      const head = [title, "best step", ...splits.map((split) => `${split} ${primaryMetric}`)];
      const rows = runs.map((run) => [
        `seed ${run.seed}`,
        run.bestStep,
        ...splits.map((split) => score(run.scores[split]?.[primaryMetric], primaryMetric)),
      ]);
      if (runs.length > 1) {
        rows.push([
          "maximum (mean)",
          "",
          ...splits.map((split) => maxMean(statistics[split], primaryMetric, isLowerBetter)),
        ]);
        rows.push([
          "standard deviation",
          "",
          ...splits.map((split) => score(statistics[split]?.standardDeviation, primaryMetric)),
        ]);
      }
      this.#output.table(head, rows);
      this.#output.print();
    }
    this.#files(output, best, runs.length);
    this.#output.print();
    const published = dataset === undefined ? "" : ` --dataset ${dataset}`;
    this.#output.print(`next: zhbert evaluate ${output} --data FILE${published}    ${nextCommand(task, output)}`);
  }

  #files(output: string, best: FineTuningRunResult, runs: number): void {
    const run = runs === 1 ? output : join(output, `run-${best.seed}`);
    const rows = [
      [
        output,
        `the model${runs === 1 ? "" : ` of seed ${best.seed}`}: config.json, task.json, model.safetensors, vocab.txt`,
      ],
      [join(run, METRICS_FILE), "what was measured"],
      [join(run, LOSS_CURVE_FILE), "the loss curve"],
    ];
    if (best.scores["dev"] !== undefined) rows.push([join(run, METRIC_CURVE_FILE), "the metric's curve"]);
    this.#output.table(["file", "what it is"], rows);
  }
}

function stoppedEarly({ seed, step, bestStep }: FineTuningRunResult): string {
  return `seed ${seed} ended at step ${step}: nothing was better than step ${bestStep}`;
}

function statisticsBySplit(runs: readonly FineTuningRunResult[], metric: string) {
  const splits = Object.keys(runs[0]?.scores ?? {});
  return Object.fromEntries(
    splits.map((split) => [split, statisticsOf(runs.map(({ scores }) => scores[split]?.[metric] ?? Number.NaN))]),
  );
}

function maxMean(
  statistics: ReturnType<typeof statisticsOf> | undefined,
  metric: string,
  isLowerBetter: boolean,
): string {
  if (statistics === undefined) return "";
  const { max, min, mean } = statistics;
  return `${score(isLowerBetter ? min : max, metric)} (${score(mean, metric)})`;
}

/** Metrics are shares, or numbers of any size; tables show shares in per cent. */
function score(value: number | undefined, name: string): string {
  if (value === undefined || !Number.isFinite(value)) return "";
  return areShares(name, [value]) ? inPercent(value, 2) : value.toFixed(3);
}

/** The primary metric, then the others. */
function shown(metrics: Readonly<Record<string, number>>, primary: string): string {
  const names = [primary, ...Object.keys(metrics).filter((name) => name !== primary)].filter((name) => name in metrics);
  return names
    .slice(0, MOST_SHOWN)
    .map((name) => `${name} ${score(metrics[name], name)}`)
    .join(", ");
}

const MOST_SHOWN = 4;
const MOST_LABELS = 12;

/** As people write it for --learning-rate: 3e-5, 0.03. */
function rate(value: number): string {
  return value < 1e-2 ? value.toExponential() : String(value);
}

/** How the model is tried: each kind of task reads something else. */
function nextCommand(task: string, output: string): string {
  const inputs: Readonly<Partial<Record<TaskName, string>>> = {
    match: '"TEXT ||| TEXT"',
    qa: "QUESTION --context FILE",
    choice: "--file FILE",
  };
  const kind = dataOfTask(task);
  if (kind === "embed") return `zhbert semantic-search ${output} FILE TEXT`;
  return `zhbert predict ${output} ${inputs[kind] ?? "TEXT"}`;
}

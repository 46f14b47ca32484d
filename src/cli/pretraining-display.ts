/** What the user sees of a training run: the model, progress, evaluations, the summary. */
import { join } from "node:path";
import { ACCURACY_CURVE_FILE } from "../node/curves.ts";
import type { PretrainEnvironment, PretrainResult } from "../node/pretraining-run.ts";
import { METRICS_FILE } from "../node/run-folder.ts";
import type { EvaluationMetrics, LoggedMetrics } from "../train/metrics.ts";
import { inPercent } from "../util/percent.ts";
import { several } from "../util/several.ts";
import type { CommandContext, Output, Progress } from "./command.ts";
import { formatCount } from "./numbers.ts";
import { engineOfRun } from "./runtime-options.ts";

/** What the user sees of a run. */
export class PretrainingDisplay {
  readonly #output: Output;
  #progress: Progress | undefined;
  /** Of a run by hours. */
  #minutes: number | undefined;
  #tokensPerSecond = 0;
  #gigaflopsPerSecond = 0;
  #peakShare: number | undefined;
  #wasComplete = false;

  constructor(output: Output) {
    this.#output = output;
  }

  /** What a run is told by a command: its engine, the signal that stops it, and who watches. */
  environment(context: CommandContext): PretrainEnvironment {
    return { signal: context.signal, ...this.#hooks, ...engineOfRun(context) };
  }

  readonly #hooks: Pick<PretrainEnvironment, "onStart" | "onStep" | "onLog" | "onEvaluation"> = {
    onStart: ({ config, parameters, trained, step, steps, hours, engine, initialized }) => {
      const { numHiddenLayers, hiddenSize } = config;
      this.#output.note(
        `${numHiddenLayers} layers, ${hiddenSize} wide, ${formatCount(parameters)} parameters` +
          `${trained === parameters ? "" : `, ${formatCount(trained)} of them trained`}; ` +
          `${engine.name} ${engine.version}, ${engine.precision}, ${several(engine.threads, "thread")}`,
      );
      if (initialized.length > 0) this.#output.note(`not in --init, so started at random: ${initialized.join(", ")}`);
      if (step > 0) this.#output.note(`resuming at step ${step}${hours === undefined ? ` of ${steps}` : ""}`);
      this.#wasComplete = step >= steps;
      if (!this.#wasComplete) {
        this.#minutes = hours === undefined ? undefined : 60 * hours;
        const [total, unit] = hours === undefined ? [steps, "steps"] : [60 * hours, "min"];
        this.#progress = this.#output.progress({ total, unit, label: "pre-training" });
      }
    },
    onStep: (step, { loss, mlmAccuracy, progress }) => {
      const [tokens, gigaflops] = [this.#tokensPerSecond, this.#gigaflopsPerSecond];
      this.#progress?.update(this.#minutes === undefined ? step : Number((progress * this.#minutes).toFixed(2)), {
        loss: loss.toFixed(3),
        "MLM accuracy": percent(mlmAccuracy),
        ...(tokens === 0 ? {} : { "tokens/s": String(Math.round(tokens)) }),
        ...(gigaflops === 0 ? {} : { "GFLOP/s": `${Math.round(gigaflops)}${ofPeak(this.#peakShare)}` }),
      });
    },
    onLog: (metrics) => {
      this.#tokensPerSecond = metrics.tokensPerSecond;
      this.#gigaflopsPerSecond = metrics.gigaflopsPerSecond;
      this.#peakShare = metrics.peakShare;
      this.#output.json(fieldsOf(metrics));
    },
    onEvaluation: (step, evaluation, average) => {
      const { loss, mlmLoss, nspLoss, mlmAccuracy, wordAccuracy, nspAccuracy, mostFrequentAccuracy } = evaluation;
      this.#output.note(
        `step ${step}: held-out loss ${loss.toFixed(3)}, MLM loss ${mlmLoss.toFixed(3)}, MLM accuracy ` +
          `${percent(mlmAccuracy)} (most frequent token: ${percent(mostFrequentAccuracy)})` +
          (wordAccuracy === undefined ? "" : `, whole words ${percent(wordAccuracy)}`) +
          (nspLoss > 0 ? `, NSP accuracy ${percent(nspAccuracy)}` : "") +
          (average ? `; averaged weights: loss ${average.loss.toFixed(3)}, ${percent(average.mlmAccuracy)}` : ""),
      );
    },
  };

  stop(): void {
    this.#progress?.stop();
  }

  end({ output, step, metrics, evaluation, best, isStoppedEarly, lossCurve }: PretrainResult): void {
    if (isStoppedEarly) {
      this.#output.note(
        `ended at step ${step}: no lower held-out loss than ${best?.value.toFixed(3)} of step ${best?.step}`,
      );
    }
    if (this.#wasComplete)
      this.#output.note(`the run is complete: ${step} steps; --init ${output} trains its model further`);
    if (metrics !== undefined) {
      this.#output.table([`step ${step}`, "training", "held-out"], summaryRows(metrics, evaluation));
      this.#output.print();
    }
    this.#output.table(
      ["file", "what it is"],
      [
        [output, "the model: config.json, model.safetensors, vocab.txt, tokenizer.json"],
        [join(output, `checkpoint-${step}`), "the training state, for --resume"],
        [join(output, METRICS_FILE), "what was measured"],
        [lossCurve, "the loss curve"],
        [join(output, ACCURACY_CURVE_FILE), "the accuracy curve"],
      ],
    );
  }
}

/** Losses and accuracies, in training and held out; next sentences only where the data have pairs. */
function summaryRows(metrics: LoggedMetrics, evaluation: EvaluationMetrics | undefined): [string, string, string][] {
  const row = (name: string, key: keyof LoggedMetrics & keyof EvaluationMetrics, show: (value: number) => string) =>
    [name, show(metrics[key]), evaluation === undefined ? "" : show(evaluation[key])] as [string, string, string];
  const nats = (value: number) => value.toFixed(3);
  const rows = [
    row("loss", "loss", nats),
    row("MLM loss", "mlmLoss", nats),
    row("MLM accuracy", "mlmAccuracy", percent),
  ];
  if (evaluation !== undefined) rows.push(["most frequent token", "", percent(evaluation.mostFrequentAccuracy)]);
  if (evaluation?.wordAccuracy !== undefined) rows.push(["whole words", "", percent(evaluation.wordAccuracy)]);
  if (metrics.nspLoss === 0) return rows;
  return [...rows, row("NSP loss", "nspLoss", nats), row("NSP accuracy", "nspAccuracy", percent)];
}

function fieldsOf(metrics: LoggedMetrics) {
  const { step, loss, mlmLoss, nspLoss, mlmAccuracy, learningRate } = metrics;
  const { tokensPerSecond, gigaflopsPerSecond, paddingShare, engineShare, peakShare } = metrics;
  const losses = { step, loss, mlmLoss, nspLoss, mlmAccuracy, learningRate };
  return { ...losses, tokensPerSecond, gigaflopsPerSecond, paddingShare, engineShare, peakShare };
}

function ofPeak(share: number | undefined): string {
  return share === undefined ? "" : ` (${Math.round(100 * share)} % of the peak)`;
}

function percent(share: number): string {
  return `${inPercent(share)} %`;
}

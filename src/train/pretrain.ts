/**
 * The loop of pre-training: batches in, weights changed in place, measurements and checkpoints out through hooks.
 *
 * Everything random is named by numbers (seed, micro-batch), so that a run which stops and goes on equals one that does not.
 */
import type { PretrainingBatch } from "../data/instance.ts";
import { InterruptedError, TrainingError, verbatim } from "../errors.ts";
import type { BertConfig } from "../model/config.ts";
import { isTrainable, type Trainable } from "../model/trainable.ts";
import type { NamedTensors } from "../util/tensor.ts";
import { checkBatch } from "./check-inputs.ts";
import { accumulate, clipScale, type Gradients, globalNorm } from "./clipping.ts";
import { evaluatePretraining } from "./evaluate.ts";
import { layerRateFactor } from "./layer-decay.ts";
import { addSums, type EvaluationMetrics, emptySums, type LoggedMetrics, type MetricSums, means } from "./metrics.ts";
import type { Optimizer } from "./optimizer.ts";
import { clipRuleOf, createOptimizer } from "./optimizers.ts";
import { type CompileStep, PretrainingStep } from "./pretraining-step.ts";
import { learningRate } from "./schedules.ts";
import { checkSettings, type PretrainingSettings, scheduleFor } from "./settings.ts";
import { BUDGET_PARTS, type BudgetState, TimeBudget } from "./time-budget.ts";

/** Training batches by their number, counted from 0 over all epochs. */
export interface BatchSource {
  readonly batchesPerEpoch: number;
  batch(index: number): Promise<PretrainingBatch>;
}

/** Where a run goes on. */
export interface PretrainingProgress {
  /** Updates done. */
  readonly step: number;
  /** The optimiser's moments. */
  readonly moments: NamedTensors;
  /** Sums since the last logged line. */
  readonly window: Readonly<MetricSums>;
  /** With `hours`: the time that went by. */
  readonly budget?: BudgetState;
}

/** What the loop tells its caller, and when; each is awaited. Every "every" counts updates. */
export interface PretrainingHooks {
  readonly loggingSteps: number;
  onLog(metrics: LoggedMetrics): void | Promise<void>;
  /** 0 saves only at the end. */
  readonly saveSteps: number;
  /** Writes a checkpoint; weights and moments change afterwards. */
  onSave(progress: PretrainingProgress & { readonly epoch: number; readonly dataPosition: number }): Promise<void>;
  /** 0 evaluates only at the end. */
  readonly evalSteps: number;
  /** Held-out batches; without them nothing is evaluated. */
  readonly heldOut?: () => Iterable<PretrainingBatch> | AsyncIterable<PretrainingBatch>;
  onEvaluation?(step: number, metrics: EvaluationMetrics): void | Promise<void>;
  /** After each update. */
  onStep?(step: number, metrics: Omit<LoggedMetrics, "tokensPerSecond">): void | Promise<void>;
  /** Stores the micro-batches of a step whose loss or gradient is not a number; gives where they are. */
  onBadBatches?(step: number, batches: readonly PretrainingBatch[]): Promise<string>;
  /** Lets other work (signals, drawing) have its turn after each update. */
  pause?(): Promise<void>;
  /** Milliseconds from any origin. */
  clock(): number;
  readonly signal?: AbortSignal;
}

/** What a run needs. */
export interface PretrainingRunOptions {
  readonly config: BertConfig;
  /** float32 by Hugging Face's names: all that the graph takes; those of `trainable` are changed in place. */
  readonly weights: NamedTensors;
  /** What the compiled graph gives gradients of; `all`. */
  readonly trainable?: Trainable;
  readonly batches: BatchSource;
  readonly compile: CompileStep;
  readonly settings: PretrainingSettings;
  readonly hooks: PretrainingHooks;
  readonly resume?: PretrainingProgress;
  /** With `hours`: the time of another run by step, to repeat that run. */
  readonly replay?: readonly number[];
}

/** What a finished run says. */
export interface PretrainingSummary {
  readonly step: number;
  readonly metrics: LoggedMetrics | undefined;
  readonly evaluation: EvaluationMetrics | undefined;
}

/**
 * Pre-trains a model: `steps` updates, or those that are left when resuming.
 * @throws {TrainingError} when a loss or gradient is not a number (the weights are those before that step).
 * @throws {InterruptedError} when the signal is aborted; a checkpoint has been saved then.
 */
export async function runPretraining(options: PretrainingRunOptions): Promise<PretrainingSummary> {
  const run = new PretrainingRun(options);
  try {
    return await run.run();
  } finally {
    await run.dispose();
  }
}

class PretrainingRun {
  readonly #options: PretrainingRunOptions;
  readonly #optimizer: Optimizer;
  readonly #step: PretrainingStep;
  readonly #accumulated: Gradients | undefined;
  readonly #window = emptySums();
  readonly #budget: TimeBudget | undefined;
  /** Thousandths of the time that had passed before the update to come; undefined in a run by steps. */
  #parts: number | undefined;
  #done: number;
  #savedAt = -1;
  #loggedAt: number;
  #lastMetrics: LoggedMetrics | undefined;
  #lastEvaluation: EvaluationMetrics | undefined;
  #tokensSinceLog = 0;
  /** Learning rate and gradient norm of the last update. */
  #last = { rate: 0, norm: 0 };

  constructor(options: PretrainingRunOptions) {
    const { settings, weights, compile, resume, hooks, trainable: part = "all" } = options;
    this.#options = options;
    checkSettings(settings, hooks);
    expectBatches(options.batches);
    const trainable = new Map([...weights].filter(([name]) => isTrainable(part, name)));
    const frozen = new Map([...weights].filter(([name]) => !isTrainable(part, name)));
    const { weightDecay, layerDecay = 1 } = settings;
    const rateFactor = (name: string) => layerRateFactor(name, layerDecay, options.config.numHiddenLayers);
    this.#optimizer = createOptimizer(settings.optimizer, trainable, { weightDecay, rateFactor });
    this.#step = new PretrainingStep(trainable, compile, settings.seed, frozen);
    if (settings.gradientAccumulationSteps > 1) {
      this.#accumulated = new Map(
        [...this.#step.gradients].map(([name, gradient]) => [name, new Float32Array(gradient.length)]),
      );
    }
    if (resume !== undefined) {
      this.#optimizer.restore(resume.moments, resume.step);
      addSums(this.#window, resume.window);
    }
    this.#done = resume?.step ?? 0;
    this.#budget = budgetOf(options);
    this.#parts = this.#budget?.partsAt(this.#done);
    this.#loggedAt = hooks.clock();
  }

  async run(): Promise<PretrainingSummary> {
    const { hooks } = this.#options;
    while (!this.#isOver()) {
      await this.#stopIfAborted();
      await this.#update();
      this.#parts = this.#budget?.partsAt(this.#done);
      const isLast = this.#isOver();
      if (isLast || isDue(this.#done, hooks.loggingSteps)) await this.#log();
      if (isLast || isDue(this.#done, hooks.evalSteps)) await this.#evaluate();
      if (isLast || isDue(this.#done, hooks.saveSteps)) await this.#save();
      await hooks.pause?.();
    }
    return { step: this.#done, metrics: this.#lastMetrics, evaluation: this.#lastEvaluation };
  }

  #isOver(): boolean {
    return this.#done >= this.#options.settings.steps || this.#parts === BUDGET_PARTS;
  }

  dispose(): Promise<void> {
    return this.#step.dispose();
  }

  /** One update: the micro-batches, the norm, the optimiser. */
  async #update(): Promise<void> {
    const { settings, hooks } = this.#options;
    const count = settings.gradientAccumulationSteps;
    const sums = emptySums();
    const batches: PretrainingBatch[] = [];
    for (const gradient of this.#accumulated?.values() ?? []) gradient.fill(0);
    for (let micro = 0; micro < count; micro++) {
      addSums(sums, await this.#microBatch(this.#done * count + micro, batches));
    }
    const gradients = this.#accumulated ?? this.#step.gradients;
    const norm = globalNorm(gradients) / count;
    if (!Number.isFinite(sums.loss) || !Number.isFinite(norm)) await this.#failOn(batches, sums.loss / count, norm);
    const rate = learningRate(scheduleFor(settings), this.#coursePosition());
    const scale = clipScale(norm, settings.maxGradientNorm, clipRuleOf(settings.optimizer)) / count;
    this.#optimizer.update(gradients, rate, scale);
    this.#done++;
    addSums(this.#window, sums);
    this.#tokensSinceLog += sums.tokens;
    this.#last = { rate, norm };
    await hooks.onStep?.(this.#done, { ...this.#position(), ...means(sums) });
  }

  /** Where the update to come stands on the schedule; within a thousandth of the time, in its middle. */
  #coursePosition(): number {
    return this.#parts === undefined ? this.#done : this.#parts + 0.5;
  }

  async #microBatch(index: number, batches: PretrainingBatch[]): Promise<MetricSums> {
    const batch = await this.#options.batches.batch(index);
    batches.push(batch);
    checkBatch(batch, this.#options.config, `batch ${index}`);
    const sums = await this.#step.train(batch, index);
    if (this.#accumulated !== undefined) accumulate(this.#accumulated, this.#step.gradients);
    return sums;
  }

  async #failOn(batches: readonly PretrainingBatch[], loss: number, norm: number): Promise<never> {
    const saved = await this.#options.hooks.onBadBatches?.(this.#done + 1, batches);
    throw new TrainingError({
      where: `step ${this.#done + 1}`,
      expected: "a finite loss and gradient",
      got: verbatim(`loss ${loss}, gradient norm ${norm}`),
      hint:
        `The weights are unchanged by this step${saved === undefined ? "" : `; its batch is in ${saved}`}. ` +
        "Lower the learning rate, or lengthen the warm-up.",
    });
  }

  #position() {
    const { rate: learningRate, norm: gradientNorm } = this.#last;
    return { step: this.#done, epoch: this.#epoch(), progress: this.#progress(), learningRate, gradientNorm };
  }

  /** The share of the run that is done, in [0, 1]. */
  #progress(): number {
    return this.#parts === undefined ? this.#done / this.#options.settings.steps : this.#parts / BUDGET_PARTS;
  }

  #dataPosition(): number {
    return this.#done * this.#options.settings.gradientAccumulationSteps;
  }

  #epoch(): number {
    return Math.floor(this.#dataPosition() / this.#options.batches.batchesPerEpoch);
  }

  async #log(): Promise<void> {
    const { hooks } = this.#options;
    const now = hooks.clock();
    const tokensPerSecond = (1000 * this.#tokensSinceLog) / Math.max(1e-3, now - this.#loggedAt);
    this.#lastMetrics = { ...this.#position(), ...means(this.#window), tokensPerSecond };
    Object.assign(this.#window, emptySums());
    await hooks.onLog(this.#lastMetrics);
    this.#restartClock();
  }

  /** Evaluating and saving do not count in tokens per second. */
  #restartClock(): void {
    this.#tokensSinceLog = 0;
    this.#loggedAt = this.#options.hooks.clock();
  }

  async #evaluate(): Promise<void> {
    const { hooks } = this.#options;
    if (hooks.heldOut === undefined) return;
    const began = hooks.clock();
    this.#lastEvaluation = await evaluatePretraining(this.#step, hooks.heldOut());
    await hooks.onEvaluation?.(this.#done, this.#lastEvaluation);
    this.#loggedAt += hooks.clock() - began;
  }

  async #save(): Promise<void> {
    if (this.#savedAt === this.#done) return;
    const { hooks } = this.#options;
    const began = hooks.clock();
    await hooks.onSave({
      step: this.#done,
      epoch: this.#epoch(),
      dataPosition: this.#dataPosition(),
      moments: this.#optimizer.state(),
      window: { ...this.#window },
      ...(this.#budget === undefined ? {} : { budget: this.#budget.state() }),
    });
    this.#savedAt = this.#done;
    this.#loggedAt += hooks.clock() - began;
  }

  async #stopIfAborted(): Promise<void> {
    if (!this.#options.hooks.signal?.aborted) return;
    if (this.#done > (this.#options.resume?.step ?? 0)) await this.#save();
    throw new InterruptedError({
      where: `pre-training, step ${this.#done}`,
      expected: "a run to its end",
      got: verbatim("an interruption"),
      hint: this.#done === 0 ? "Nothing was trained yet." : `The training state of step ${this.#done} is saved.`,
    });
  }
}

function budgetOf({ settings, hooks, resume, replay }: PretrainingRunOptions): TimeBudget | undefined {
  if (settings.hours === undefined) return undefined;
  const state = resume?.budget ?? { elapsedMs: 0, trace: [], ...(replay === undefined ? {} : { replay }) };
  return new TimeBudget(settings.hours, hooks.clock, state);
}

function isDue(step: number, every: number): boolean {
  return every > 0 && step % every === 0;
}

function expectBatches({ batchesPerEpoch }: BatchSource): void {
  if (batchesPerEpoch >= 1) return;
  throw new TrainingError({
    where: "training data",
    expected: "at least one batch",
    got: batchesPerEpoch,
    hint: "The data hold fewer instances than a batch: lower --batch-size, or make more with --dupe-factor.",
  });
}

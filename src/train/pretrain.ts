/**
 * The loop of pre-training: batches in, weights changed in place, measurements and checkpoints out through hooks.
 *
 * Everything random is named by numbers (seed, micro-batch), so that a run which stops and goes on equals one that does not.
 */
import type { PretrainingBatch } from "../data/instance.ts";
import { InterruptedError, TrainingError, verbatim } from "../errors.ts";
import { isTrainable } from "../model/trainable.ts";
import type { NamedTensors } from "../util/tensor.ts";
import { type BestSoFar, withEvaluation } from "./best.ts";
import { checkBatch } from "./check-inputs.ts";
import { accumulate, clipScale, type Gradients, globalNorm } from "./clipping.ts";
import { phaseAt, planUpdate, totalSteps } from "./course.ts";
import { evaluatePretraining } from "./evaluate.ts";
import { layerRateFactor } from "./layer-decay.ts";
import { addSums, type EvaluationMetrics, emptySums, type LoggedMetrics, type MetricSums, means } from "./metrics.ts";
import { MovingAverage } from "./moving-average.ts";
import type { Optimizer } from "./optimizer.ts";
import { clipRuleOf, createOptimizer } from "./optimizers.ts";
import type { PretrainingRunOptions, PretrainingSummary, TrainingPhase } from "./pretraining-run-options.ts";
import { PretrainingStep } from "./pretraining-step.ts";
import { RunMeter } from "./run-meter.ts";
import { checkSettings } from "./settings.ts";
import { BUDGET_PARTS, TimeBudget } from "./time-budget.ts";

/**
 * Pre-trains a model: all updates of the settings, or those that are left when resuming.
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
  readonly #trained: NamedTensors;
  readonly #frozen: NamedTensors;
  readonly #optimizer: Optimizer;
  readonly #average: MovingAverage | undefined;
  readonly #budget: TimeBudget | undefined;
  readonly #meter: RunMeter;
  #phase: 0 | 1;
  #step: PretrainingStep;
  /** Sums over the micro-batches of an update, once there are several. */
  #sums: Gradients | undefined;
  /** Thousandths of the time that had passed before the update to come; undefined in a run by steps. */
  #parts: number | undefined;
  #done: number;
  #microBatches: number;
  #dataPosition: number;
  #savedAt = -1;
  #loggedAt = -1;
  #best: BestSoFar | undefined;
  #lastMetrics: LoggedMetrics | undefined;
  #lastEvaluation: EvaluationMetrics | undefined;
  /** Of the last update. */
  #last = { rate: 0, norm: 0, batchSize: 0 };

  constructor(options: PretrainingRunOptions) {
    const { settings, weights, resume, hooks, config, trainable: part = "all" } = options;
    this.#options = options;
    checkSettings(settings, hooks);
    expectSecondPhase(options);
    for (const { batches } of phasesOf(options)) expectBatches(batches);
    // The order in which norms are summed must not depend on where the weights come from: a new model, or a file.
    const inOrder = [...weights].sort(([a], [b]) => (a < b ? -1 : 1));
    this.#trained = new Map(inOrder.filter(([name]) => isTrainable(part, name)));
    this.#frozen = new Map([...weights].filter(([name]) => !isTrainable(part, name)));
    const { layerDecay = 1, averageDecay } = settings;
    const rateFactor = (name: string) => layerRateFactor(name, layerDecay, config.numHiddenLayers);
    const { weightDecay, beta1, beta2, epsilon } = settings;
    const given = Object.entries({ beta1, beta2, epsilon }).filter(([, value]) => value !== undefined);
    const numbers = { weightDecay, rateFactor, ...Object.fromEntries(given) };
    this.#optimizer = createOptimizer(settings.optimizer, this.#trained, numbers);
    this.#average = averageDecay === undefined ? undefined : new MovingAverage(this.#trained, averageDecay);
    if (resume !== undefined) {
      this.#optimizer.restore(resume.moments, resume.step);
      this.#average?.restore(resume.average);
    }
    this.#done = resume?.step ?? 0;
    this.#microBatches = resume?.microBatches ?? 0;
    this.#phase = phaseAt(settings, Math.max(0, this.#done - 1));
    this.#dataPosition = resume?.dataPosition ?? 0;
    this.#best = resume?.best;
    this.#step = this.#stepOf(this.#phase);
    this.#budget = budgetOf(options);
    this.#parts = this.#budget?.partsAt(this.#done);
    this.#meter = new RunMeter(() => hooks.clock(), resume?.window);
  }

  async run(): Promise<PretrainingSummary> {
    const { hooks } = this.#options;
    while (!this.#isOver()) {
      await this.#stopIfAborted();
      await this.#enterPhase();
      await this.#update();
      this.#parts = this.#budget?.partsAt(this.#done);
      const isEnd = this.#isOver() || this.#done === this.#options.settings.steps;
      if (isEnd || isDue(this.#done, hooks.loggingSteps)) await this.#log();
      if (isEnd || isDue(this.#done, hooks.evalSteps)) await this.#evaluate();
      if (this.#isStoppedEarly()) await this.#log();
      if (isEnd || isDue(this.#done, hooks.saveSteps) || this.#isStoppedEarly()) await this.#save();
      await hooks.pause?.();
    }
    return {
      step: this.#done,
      metrics: this.#lastMetrics,
      evaluation: this.#lastEvaluation,
      best: this.#best,
      isStoppedEarly: this.#isStoppedEarly(),
    };
  }

  dispose(): Promise<void> {
    return this.#step.dispose();
  }

  #isOver(): boolean {
    const isLast = this.#done >= totalSteps(this.#options.settings) || this.#parts === BUDGET_PARTS;
    return isLast || this.#isStoppedEarly();
  }

  #isStoppedEarly(): boolean {
    const { patience } = this.#options.settings;
    return patience !== undefined && (this.#best?.since ?? 0) >= patience;
  }

  /** What the phase trains on. */
  get #current(): TrainingPhase {
    return phasesOf(this.#options)[this.#phase] as TrainingPhase;
  }

  /** Compiled graphs belong to the shapes of a phase's data: those of the first are freed before the second. */
  async #enterPhase(): Promise<void> {
    const phase = phaseAt(this.#options.settings, this.#done);
    if (phase === this.#phase) return;
    await this.#step.dispose();
    this.#step = this.#stepOf(phase);
    this.#phase = phase;
    this.#dataPosition = 0;
  }

  #stepOf(phase: 0 | 1): PretrainingStep {
    const { compile } = phasesOf(this.#options)[phase] as TrainingPhase;
    return new PretrainingStep(this.#trained, compile, this.#options.settings.seed, this.#frozen);
  }

  /** One update: the micro-batches, the norm, the optimiser. */
  async #update(): Promise<void> {
    const { settings, hooks } = this.#options;
    const { microBatches: count, learningRate: rate } = planUpdate(settings, this.#done, this.#parts);
    const sums = emptySums();
    const batches: PretrainingBatch[] = [];
    const gradients = count === 1 ? this.#step.gradients : this.#clearedSums();
    for (let micro = 0; micro < count; micro++) {
      addSums(sums, await this.#microBatch(micro, batches));
      if (count > 1) accumulate(gradients, this.#step.gradients);
    }
    const norm = globalNorm(gradients) / count;
    if (!Number.isFinite(sums.loss) || !Number.isFinite(norm)) await this.#failOn(batches, sums.loss / count, norm);
    const scale = clipScale(norm, settings.maxGradientNorm, clipRuleOf(settings.optimizer)) / count;
    this.#optimizer.update(gradients, rate, scale);
    this.#average?.update();
    this.#done++;
    this.#microBatches += count;
    this.#dataPosition += count;
    this.#meter.add(sums);
    this.#last = { rate, norm, batchSize: batches.reduce((size, batch) => size + batch.batchSize, 0) };
    await hooks.onStep?.(this.#done, { ...this.#position(), ...means(sums) });
  }

  #clearedSums(): Gradients {
    this.#sums ??= new Map([...this.#step.gradients].map(([name, { length }]) => [name, new Float32Array(length)]));
    for (const sum of this.#sums.values()) sum.fill(0);
    return this.#sums;
  }

  /** @param micro - its number within the update. */
  async #microBatch(micro: number, batches: PretrainingBatch[]): Promise<MetricSums> {
    const index = this.#dataPosition + micro;
    const batch = await this.#current.batches.batch(index);
    batches.push(batch);
    checkBatch(batch, this.#options.config, `batch ${index}`);
    return this.#step.train(batch, this.#microBatches + micro);
  }

  async #failOn(batches: readonly PretrainingBatch[], loss: number, norm: number): Promise<never> {
    const saved = await this.#options.hooks.onBadBatches?.(this.#done + 1, batches);
    await this.#saveIfNew();
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
    const { rate: learningRate, norm: gradientNorm, batchSize } = this.#last;
    const phase = this.#options.settings.secondPhase === undefined ? {} : { phase: this.#phase + 1 };
    const [epoch, progress] = [this.#epoch(), this.#progress()];
    return { step: this.#done, ...phase, epoch, progress, learningRate, gradientNorm, batchSize };
  }

  /** The share of the run that is done, in [0, 1]. */
  #progress(): number {
    return this.#parts === undefined ? this.#done / totalSteps(this.#options.settings) : this.#parts / BUDGET_PARTS;
  }

  #epoch(): number {
    return Math.floor(this.#dataPosition / this.#current.batches.batchesPerEpoch);
  }

  async #log(): Promise<void> {
    if (this.#loggedAt === this.#done) return;
    this.#loggedAt = this.#done;
    this.#lastMetrics = { ...this.#position(), ...this.#meter.read() };
    await this.#options.hooks.onLog(this.#lastMetrics);
    this.#meter.restart();
  }

  async #evaluate(): Promise<void> {
    const { hooks, settings } = this.#options;
    const { heldOut } = this.#current;
    if (heldOut === undefined) return;
    await this.#meter.aside(async () => {
      const metrics = await evaluatePretraining(this.#step, heldOut());
      const weights = this.#average?.average;
      const averaged = { evaluate: (batch: PretrainingBatch) => this.#step.evaluate(batch, weights) };
      const average = weights === undefined ? undefined : await evaluatePretraining(averaged, heldOut());
      this.#lastEvaluation = metrics;
      await hooks.onEvaluation?.(this.#done, metrics, average);
      if (this.#phase === 0 && settings.secondPhase !== undefined) return;
      this.#best = withEvaluation(this.#best, this.#done, metrics.loss);
      if (this.#best?.step === this.#done) await hooks.onBest?.(this.#best);
    });
  }

  async #save(): Promise<void> {
    if (this.#savedAt === this.#done) return;
    await this.#meter.aside(() =>
      this.#options.hooks.onSave({
        step: this.#done,
        epoch: this.#epoch(),
        microBatches: this.#microBatches,
        dataPosition: this.#dataPosition,
        moments: this.#optimizer.state(),
        window: this.#meter.window(),
        ...(this.#average === undefined ? {} : { average: this.#average.average }),
        ...(this.#budget === undefined ? {} : { budget: this.#budget.state() }),
        ...(this.#best === undefined ? {} : { best: this.#best }),
      }),
    );
    this.#savedAt = this.#done;
  }

  async #saveIfNew(): Promise<void> {
    if (this.#done > (this.#options.resume?.step ?? 0)) await this.#save();
  }

  async #stopIfAborted(): Promise<void> {
    if (!this.#options.hooks.signal?.aborted) return;
    await this.#saveIfNew();
    throw new InterruptedError({
      where: `pre-training, step ${this.#done}`,
      expected: "a run to its end",
      got: verbatim("an interruption"),
      hint: this.#done === 0 ? "Nothing was trained yet." : `The training state of step ${this.#done} is saved.`,
    });
  }
}

function phasesOf({ batches, compile, hooks, secondPhase }: PretrainingRunOptions): readonly TrainingPhase[] {
  const { heldOut } = hooks;
  const first = { batches, compile, ...(heldOut === undefined ? {} : { heldOut }) };
  return secondPhase === undefined ? [first] : [first, secondPhase];
}

/** The settings and the data of a second phase come together. */
function expectSecondPhase({ settings, secondPhase }: PretrainingRunOptions): void {
  if ((settings.secondPhase === undefined) === (secondPhase === undefined)) return;
  throw new TrainingError({
    where: "second phase",
    expected: "settings and batches for it",
    got: verbatim(secondPhase === undefined ? "settings alone" : "batches alone"),
  });
}

function budgetOf({ settings, hooks, resume, replay }: PretrainingRunOptions): TimeBudget | undefined {
  if (settings.hours === undefined) return undefined;
  const state = resume?.budget ?? { elapsedMs: 0, trace: [], ...(replay === undefined ? {} : { replay }) };
  return new TimeBudget(settings.hours, () => hooks.clock(), state);
}

function isDue(step: number, every: number): boolean {
  return every > 0 && step % every === 0;
}

function expectBatches({ batchesPerEpoch }: { readonly batchesPerEpoch: number }): void {
  if (batchesPerEpoch >= 1) return;
  throw new TrainingError({
    where: "training data",
    expected: "at least one batch",
    got: batchesPerEpoch,
    hint: "The data hold fewer instances than a batch: lower --batch-size, or make more with --dupe-factor.",
  });
}

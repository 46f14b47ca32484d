/**
 * The loop of all training: batches in, weights changed in place, measurements and checkpoints out through hooks.
 *
 * Everything random is named by numbers (seed, micro-batch), so that a run which stops and goes on equals one that does not.
 */
import { InterruptedError, TrainingError, verbatim } from "../errors.ts";
import { isTrainable, type Trainable } from "../model/trainable.ts";
import type { HostTensor, NamedTensors } from "../util/tensor.ts";
import { EmbeddingPerturbation } from "./adversarial.ts";
import { type BestSoFar, withEvaluation } from "./best.ts";
import { expectPhases } from "./check-phases.ts";
import { accumulate, clipScale, type Gradients, globalNorm } from "./clipping.ts";
import { isDue, phaseAt, planUpdate, totalSteps } from "./course.ts";
import { layerRateFactor, namedRateFactor } from "./layer-decay.ts";
import type { LoggedLine, RunPosition } from "./metrics.ts";
import { MovingAverage } from "./moving-average.ts";
import type { Optimizer } from "./optimizer.ts";
import { clipRuleOf, createOptimizer } from "./optimizers.ts";
import { addSums, type CommonSums, RunMeter } from "./run-meter.ts";
import { checkSettings } from "./settings.ts";
import { BUDGET_PARTS, TimeBudget } from "./time-budget.ts";
import type { TrainingPhase, TrainingRunOptions, TrainingSummary } from "./training-run-options.ts";
import { TrainingStep } from "./training-step.ts";
import { beginOf, trainableAt, type Unfreezing } from "./unfreezing.ts";

/**
 * Trains a model: all updates of the settings, or those that are left when resuming.
 * @throws {TrainingError} when a loss or gradient is not a number (the weights are those before that step).
 * @throws {InterruptedError} when the signal is aborted; a checkpoint has been saved then.
 */
export async function runTraining<Batch, Shape extends object, Sums extends CommonSums, Means, Evaluation>(
  options: TrainingRunOptions<Batch, Shape, Sums, Means, Evaluation>,
): Promise<TrainingSummary<Means, Evaluation>> {
  const run = new TrainingRun(options);
  try {
    return await run.run();
  } finally {
    await run.dispose();
  }
}

class TrainingRun<Batch, Shape extends object, Sums extends CommonSums, Means, Evaluation> {
  readonly #options: TrainingRunOptions<Batch, Shape, Sums, Means, Evaluation>;
  readonly #weights: NamedTensors;
  readonly #unfreezing: Unfreezing | undefined;
  readonly #optimizer: Optimizer;
  readonly #average: MovingAverage | undefined;
  readonly #perturbation: EmbeddingPerturbation | undefined;
  readonly #budget: TimeBudget | undefined;
  readonly #meter: RunMeter<Sums>;
  #phase: 0 | 1;
  /** What is trained at present. */
  #trainable: Trainable;
  #step: TrainingStep<Batch, Shape, Sums>;
  /** Sums over the passes of an update, once there are several. */
  #sums: Gradients | undefined;
  /** Thousandths of the time that had passed before the update to come; undefined in a run by steps. */
  #parts: number | undefined;
  #done: number;
  #microBatches: number;
  #dataPosition: number;
  #savedAt = -1;
  #loggedAt = -1;
  #best: BestSoFar | undefined;
  #lastMetrics: LoggedLine<Means> | undefined;
  #lastEvaluation: Evaluation | undefined;
  /** Of the last update. */
  #last = { rate: 0, norm: 0, batchSize: 0 };

  constructor(options: TrainingRunOptions<Batch, Shape, Sums, Means, Evaluation>) {
    const { settings, weights, resume, hooks, config, objective, trainable = "all", passes } = options;
    this.#options = options;
    checkSettings(settings, hooks);
    expectPhases(options);
    // The order in which norms are summed must not depend on where the weights come from: a new model, or a file.
    this.#weights = new Map([...weights].sort(([a], [b]) => (a < b ? -1 : 1)));
    const { unfreezeEvery, averageDecay, adversarial } = settings;
    if (unfreezeEvery !== undefined)
      this.#unfreezing = { every: unfreezeEvery, layers: config.numHiddenLayers, trainable };
    const trained = this.#partOf(trainable);
    this.#optimizer = createOptimizer(settings.optimizer, trained, this.#optimizerOptions());
    this.#average = averageDecay === undefined ? undefined : new MovingAverage(trained, averageDecay, passes);
    this.#perturbation = adversarial === undefined ? undefined : new EmbeddingPerturbation(trained, adversarial);
    if (resume !== undefined) {
      this.#optimizer.restore(resume.moments, resume.step);
      this.#average?.restore(resume.average);
    }
    this.#done = resume?.step ?? 0;
    this.#microBatches = resume?.microBatches ?? 0;
    this.#phase = phaseAt(settings, Math.max(0, this.#done - 1));
    this.#dataPosition = resume?.dataPosition ?? 0;
    this.#best = resume?.best;
    this.#trainable = this.#trainableNow();
    this.#step = this.#newStep();
    this.#budget = budgetOf(options);
    this.#parts = this.#budget?.partsAt(this.#done);
    this.#meter = new RunMeter<Sums>(
      () => hooks.clock(),
      () => objective.emptySums(),
      resume?.window as Partial<Sums>,
    );
  }

  async run(): Promise<TrainingSummary<Means, Evaluation>> {
    const { hooks, resume } = this.#options;
    if (resume?.isEvaluationDue) await this.#afterUpdate();
    while (!this.#isOver()) {
      await this.#stopIfAborted();
      await this.#enterPhase();
      await this.#update();
      this.#parts = this.#budget?.partsAt(this.#done);
      if (this.#isEnd || isDue(this.#done, hooks.loggingSteps)) await this.#log();
      await this.#afterUpdate();
    }
    return {
      step: this.#done,
      metrics: this.#lastMetrics,
      evaluation: this.#lastEvaluation,
      best: this.#best,
      isStoppedEarly: this.#isStoppedEarly(),
    };
  }

  /** Whether an update was the last one of the run or of its first phase. */
  get #isEnd(): boolean {
    return this.#isOver() || this.#done === this.#options.settings.steps;
  }

  /** What is due after an update that is logged. */
  async #afterUpdate(): Promise<void> {
    const { hooks } = this.#options;
    const isEnd = this.#isEnd;
    if (isEnd || isDue(this.#done, hooks.evalSteps)) await this.#evaluate();
    if (this.#isStoppedEarly()) await this.#log();
    if (isEnd || isDue(this.#done, hooks.saveSteps) || this.#isStoppedEarly()) await this.#save();
    await hooks.pause?.();
  }

  dispose(): Promise<void> {
    return this.#step.dispose();
  }

  #optimizerOptions() {
    const { settings, config, passes } = this.#options;
    const { layerDecay = 1, rateFactors = {}, weightDecay, beta1, beta2, epsilon } = settings;
    const given = Object.entries({ beta1, beta2, epsilon, passes }).filter(([, value]) => value !== undefined);
    const rateFactor = (name: string) =>
      layerRateFactor(name, layerDecay, config.numHiddenLayers) * namedRateFactor(name, rateFactors);
    const unfreezing = this.#unfreezing;
    const beginsAt = unfreezing && ((name: string) => beginOf(unfreezing, name) ?? 0);
    return { weightDecay, rateFactor, ...(beginsAt && { beginsAt }), ...Object.fromEntries(given) };
  }

  #partOf(trainable: Trainable): NamedTensors {
    return new Map([...this.#weights].filter(([name]) => isTrainable(trainable, name)));
  }

  /** What the update to come trains. */
  #trainableNow(): Trainable {
    const { trainable = "all" } = this.#options;
    return this.#unfreezing === undefined ? trainable : trainableAt(this.#unfreezing, this.#done);
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
  get #current(): TrainingPhase<Batch, Shape, Sums, Evaluation> {
    return this.#options.phases[this.#phase] as TrainingPhase<Batch, Shape, Sums, Evaluation>;
  }

  /** Compiled graphs belong to the shapes of a phase's data and to what is trained: they are freed before the next. */
  async #enterPhase(): Promise<void> {
    const phase = phaseAt(this.#options.settings, this.#done);
    const trainable = this.#trainableNow();
    if (phase === this.#phase && JSON.stringify(trainable) === JSON.stringify(this.#trainable)) return;
    await this.#step.dispose();
    if (phase !== this.#phase) this.#dataPosition = 0;
    this.#phase = phase;
    this.#trainable = trainable;
    this.#sums = undefined;
    this.#step = this.#newStep();
  }

  #newStep(): TrainingStep<Batch, Shape, Sums> {
    const { objective, settings, passes } = this.#options;
    const compile = this.#current.compile(this.#trainable);
    const trained = this.#partOf(this.#trainable);
    const frozen = new Map([...this.#weights].filter(([name]) => !trained.has(name)));
    return new TrainingStep(objective, trained, compile, settings.seed, frozen, passes);
  }

  /** One update: the micro-batches, the norm, the optimiser. */
  async #update(): Promise<void> {
    const { settings, hooks, objective, passes } = this.#options;
    const { microBatches: count, learningRate: rate } = planUpdate(settings, this.#done, this.#parts);
    const sums = objective.emptySums();
    const batches: Batch[] = [];
    const isPerturbed = this.#perturbation?.canMove(this.#step.gradients) ?? false;
    const isOnePass = count === 1 && !isPerturbed;
    const gradients = isOnePass ? this.#step.gradients : this.#clearedSums();
    for (let micro = 0; micro < count; micro++) {
      addSums(sums, await this.#microBatch(micro, batches));
      if (!isOnePass) await accumulate(gradients, this.#step.gradients, passes);
      if (isPerturbed) await this.#perturbed(micro, batches.at(-1) as Batch, gradients, sums);
    }
    const norm = (await globalNorm(gradients, passes)) / count;
    if (!Number.isFinite(sums.loss) || !Number.isFinite(norm)) await this.#failOn(batches, sums.loss / count, norm);
    const scale = clipScale(norm, settings.maxGradientNorm, clipRuleOf(settings.optimizer)) / count;
    await this.#optimizer.update(gradients, rate, scale);
    await this.#average?.update();
    this.#done++;
    this.#microBatches += count;
    this.#dataPosition += count;
    this.#meter.add(sums);
    this.#last = { rate, norm, batchSize: batches.reduce((size, batch) => size + objective.rowsOf(batch), 0) };
    await hooks.onStep?.(this.#done, { ...this.#position(), ...objective.means(sums) });
  }

  #clearedSums(): Gradients {
    this.#sums ??= new Map([...this.#step.gradients].map(([name, { length }]) => [name, new Float32Array(length)]));
    for (const sum of this.#sums.values()) sum.fill(0);
    return this.#sums;
  }

  /** @param micro - its number within the update. */
  async #microBatch(micro: number, batches: Batch[]): Promise<Sums> {
    const index = this.#dataPosition + micro;
    const batch = await this.#current.batches.batch(index);
    batches.push(batch);
    this.#options.objective.check(batch, `batch ${index}`);
    return this.#step.train(batch, this.#microBatches + micro);
  }

  /** The passes over moved embeddings; the weights are afterwards what they were, whatever happens. */
  async #perturbed(micro: number, batch: Batch, gradients: Gradients, sums: Sums): Promise<void> {
    const perturbation = this.#perturbation as EmbeddingPerturbation;
    const ids = this.#options.objective.inputs(batch)["input_ids"] as HostTensor<"int32">;
    perturbation.begin(ids.data);
    try {
      for (let pass = 1; pass <= perturbation.passes; pass++) {
        perturbation.step(this.#step.gradients);
        sums.flops += (await this.#step.train(batch, this.#microBatches + micro, pass)).flops;
      }
    } finally {
      perturbation.end();
    }
    await accumulate(gradients, this.#step.gradients, this.#options.passes);
  }

  async #failOn(batches: readonly Batch[], loss: number, norm: number): Promise<never> {
    const { hooks, precision = "f32" } = this.#options;
    // bfloat16 has the range of float32, but 8 bits of precision: a run may come apart in it that float32 carries through.
    const isFloat32 = precision === "f32";
    const saved = await hooks.onBadBatches?.(this.#done + 1, batches);
    await this.#saveIfNew();
    throw new TrainingError({
      where: `step ${this.#done + 1}`,
      expected: "a finite loss and gradient",
      got: verbatim(`loss ${loss}, gradient norm ${norm}${isFloat32 ? "" : `, computed in ${precision}`}`),
      hint:
        `The weights are unchanged by this step${saved === undefined ? "" : `; its batch is in ${saved}`}. ` +
        "Lower the learning rate, or lengthen the warm-up" +
        (isFloat32 ? "." : "; or begin anew with --precision f32 (a run that is resumed keeps its precision)."),
    });
  }

  #position(): RunPosition {
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
    const { sums, rates } = this.#meter.read();
    this.#lastMetrics = { ...this.#position(), ...this.#options.objective.means(sums), ...rates };
    await this.#options.hooks.onLog(this.#lastMetrics);
    this.#meter.restart();
  }

  async #evaluate(): Promise<void> {
    const { evaluate } = this.#current;
    if (evaluate === undefined) return;
    await this.#meter.aside(async () => {
      try {
        await this.#measure(evaluate);
      } catch (error) {
        // What was trained is kept, whatever happened; a resumed run begins with the evaluation.
        await this.#save(true).catch(() => undefined);
        throw error;
      }
    });
  }

  async #measure(evaluate: NonNullable<TrainingPhase<Batch, Shape, Sums, Evaluation>["evaluate"]>): Promise<void> {
    const { hooks, settings, objective } = this.#options;
    const metrics = await evaluate(this.#step);
    const average = this.#average === undefined ? undefined : await evaluate(this.#averaged(this.#average.average));
    this.#lastEvaluation = metrics;
    await hooks.onEvaluation?.(this.#done, metrics, average);
    if (this.#phase === 0 && settings.secondPhase !== undefined) return;
    const ranked = objective.ranksAverage && average !== undefined ? average : metrics;
    this.#best = withEvaluation(this.#best, this.#done, objective.rank(ranked), objective.isHigherBetter);
    if (this.#best?.step !== this.#done) return;
    await hooks.onBest?.(this.#best, ranked === average ? this.#average?.average : undefined);
  }

  /** The model with the moving average of its weights. */
  #averaged(weights: NamedTensors) {
    return {
      evaluate: (batch: Batch) => this.#step.evaluate(batch, weights),
      outputs: (batch: Batch) => this.#step.outputs(batch, weights),
    };
  }

  async #save(isEvaluationDue = false): Promise<void> {
    if (this.#savedAt === this.#done) return;
    await this.#meter.aside(() =>
      this.#options.hooks.onSave({
        step: this.#done,
        epoch: this.#epoch(),
        microBatches: this.#microBatches,
        dataPosition: this.#dataPosition,
        moments: this.#optimizer.state(),
        window: this.#meter.window() as Record<string, number>,
        ...(this.#average === undefined ? {} : { average: this.#average.average }),
        ...(this.#budget === undefined ? {} : { budget: this.#budget.state() }),
        ...(this.#best === undefined ? {} : { best: this.#best }),
        ...(isEvaluationDue ? { isEvaluationDue } : {}),
      }),
    );
    this.#savedAt = this.#done;
  }

  async #saveIfNew(): Promise<void> {
    if (this.#done > (this.#options.resume?.step ?? 0)) await this.#save();
  }

  async #stopIfAborted(): Promise<void> {
    const { hooks, objective } = this.#options;
    if (!hooks.signal?.aborted) return;
    await this.#saveIfNew();
    throw new InterruptedError({
      where: `${objective.title}, step ${this.#done}`,
      expected: "a run to its end",
      got: verbatim("an interruption"),
      hint: this.#done === 0 ? "Nothing was trained yet." : `The training state of step ${this.#done} is saved.`,
    });
  }
}

function budgetOf({
  settings,
  hooks,
  resume,
  replay,
}: Pick<TrainingRunOptions<never, never, never, never, never>, "settings" | "resume" | "replay"> & {
  readonly hooks: { clock(): number };
}): TimeBudget | undefined {
  if (settings.hours === undefined) return undefined;
  const state = resume?.budget ?? { elapsedMs: 0, trace: [], ...(replay === undefined ? {} : { replay }) };
  return new TimeBudget(settings.hours, () => hooks.clock(), state);
}

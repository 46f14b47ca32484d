/**
 * One forward and backward pass of training: feeds weights, a batch and dropout masks to a compiled graph and takes
 * gradients out, all in memory that is allocated once.
 */
import { TrainingError } from "../errors.ts";
import { gradientName } from "../model/pretraining.ts";
import type { Executable } from "../runtime/runtime.ts";
import { type HostTensor, type NamedTensors, zeros } from "../util/tensor.ts";
import type { Gradients } from "./clipping.ts";
import { DropoutMasks, type DropoutSite } from "./dropout-masks.ts";
import { type PassRunner, serialPasses } from "./pass-runner.ts";
import type { CommonSums } from "./run-meter.ts";

/** A compiled graph with its dropout sites. */
export interface CompiledStep {
  readonly executable: Executable;
  /** Their order names the random streams, so it must not change from one run to the next. */
  readonly dropoutSites: readonly DropoutSite[];
  /** Floating-point operations of one run, if they were counted. */
  readonly flops?: number;
}

/** With gradients and dropout, or without either. */
export type StepMode = "train" | "evaluate";

/** Compiles the graph for a shape, once each. */
export type CompileStep<Shape> = (shape: Shape, mode: StepMode) => Promise<CompiledStep>;

/** The outputs of a graph by name. */
export type StepOutputs = Readonly<Record<string, HostTensor>>;

/** What batches of a kind are to a graph, and what is measured on them. */
export interface Objective<Batch, Shape extends object, Sums extends CommonSums> {
  /** The sizes that a compiled graph is for; of equal sizes the graph is the same. */
  shapeOf(batch: Batch): Shape;
  /** The inputs of the graph that are the batch, by name. */
  inputs(batch: Batch): Record<string, HostTensor>;
  /** What the outputs of one batch show. @param flops - operations of the graph. */
  measure(batch: Batch, outputs: StepOutputs, flops: number): Sums;
}

/** Weights, compiled graphs and buffers of a training run. */
export class TrainingStep<Batch, Shape extends object, Sums extends CommonSums> {
  readonly #objective: Objective<Batch, Shape, Sums>;
  readonly #weights: Readonly<Record<string, HostTensor>>;
  readonly #compile: CompileStep<Shape>;
  readonly #compiled = new Map<string, Promise<CompiledStep>>();
  readonly #gradientOutputs: Record<string, HostTensor> = {};
  readonly #masks: DropoutMasks;
  /** float32 by parameter name; overwritten by each `train`. */
  readonly gradients: Gradients;

  /**
   * @param trainable - float32 weights whose gradients the graph gives. @param seed - of the dropout masks.
   * @param frozen - float32 weights that the graph takes besides. @param passes - who draws the masks.
   */
  constructor(
    objective: Objective<Batch, Shape, Sums>,
    trainable: NamedTensors,
    compile: CompileStep<Shape>,
    seed: number,
    frozen: NamedTensors = new Map(),
    passes: PassRunner = serialPasses,
  ) {
    this.#objective = objective;
    this.#weights = Object.fromEntries([...trainable, ...frozen]);
    this.#compile = compile;
    this.#masks = new DropoutMasks(seed, passes);
    const gradients = new Map<string, Float32Array>();
    for (const [name, weight] of trainable) {
      const gradient = zeros("float32", weight.shape);
      this.#gradientOutputs[gradientName(name)] = gradient;
      gradients.set(name, gradient.data);
    }
    this.gradients = gradients;
  }

  /**
   * Loss and gradients of one micro-batch, with dropout.
   * @param index - the micro-batch's number since the start of training: with the seed it names the dropout masks.
   * @param pass - tells passes over the same micro-batch apart, which have masks of their own.
   */
  async train(batch: Batch, index: number, pass = 0): Promise<Sums> {
    const { executable, dropoutSites, flops = 0 } = await this.#compiledFor(batch, "train");
    const masks = await this.#masks.draw(dropoutSites, index, pass);
    const inputs = { ...this.#weights, ...this.#objective.inputs(batch), ...masks };
    const outputs = await executable.run(inputs, this.#gradientOutputs);
    this.#takeBack(outputs);
    return this.#objective.measure(batch, outputs, flops);
  }

  /** What one batch shows without dropout. @param instead - weights to take in place of those of their names. */
  async evaluate(batch: Batch, instead?: NamedTensors): Promise<Sums> {
    const { flops = 0 } = await this.#compiledFor(batch, "evaluate");
    return this.#objective.measure(batch, await this.outputs(batch, instead), flops);
  }

  /** All outputs for one batch without dropout. @param instead - weights to take in place of those of their names. */
  async outputs(batch: Batch, instead: NamedTensors = new Map()): Promise<StepOutputs> {
    const { executable } = await this.#compiledFor(batch, "evaluate");
    const weights = { ...this.#weights, ...Object.fromEntries(instead) };
    return executable.run({ ...weights, ...this.#objective.inputs(batch) });
  }

  /** Frees the compiled graphs. */
  async dispose(): Promise<void> {
    const compiled = await Promise.allSettled(this.#compiled.values());
    this.#compiled.clear();
    for (const step of compiled) if (step.status === "fulfilled") await step.value.executable.dispose();
  }

  #compiledFor(batch: Batch, mode: StepMode): Promise<CompiledStep> {
    const shape = this.#objective.shapeOf(batch);
    const key = `${mode} ${Object.values(shape).join(" ")}`;
    let compiled = this.#compiled.get(key);
    if (compiled === undefined) {
      compiled = this.#compile(shape, mode);
      this.#compiled.set(key, compiled);
    }
    return compiled;
  }

  /** An engine that cannot write into given memory returns its own: the gradients are copied then. */
  #takeBack(outputs: StepOutputs): void {
    for (const [name, own] of Object.entries(this.#gradientOutputs)) {
      const output = expectOutput(outputs, name);
      if (output.data !== own.data) (own.data as Float32Array).set(output.data as Float32Array);
    }
  }
}

/**
 * An output that the graph must give.
 * @throws {TrainingError} when it does not.
 */
export function expectOutput(outputs: StepOutputs, name: string): HostTensor {
  const output = outputs[name];
  if (output !== undefined) return output;
  throw new TrainingError({
    where: "training step",
    expected: `the graph to give ${name}`,
    got: { verbatim: "nothing" },
  });
}

/**
 * One forward and backward pass of pre-training: feeds weights, a batch and dropout masks to a compiled graph and takes
 * gradients out, all in memory that is allocated once.
 */
import { IGNORED_LABEL, type PretrainingBatch } from "../data/instance.ts";
import { TrainingError } from "../errors.ts";
import { gradientName } from "../model/pretraining.ts";
import type { Executable } from "../runtime/runtime.ts";
import { fillKeepMask, Random } from "../util/random.ts";
import { elementCount, type HostTensor, hostTensor, type NamedTensors, zeros } from "../util/tensor.ts";
import type { Gradients } from "./clipping.ts";
import type { MetricSums } from "./metrics.ts";

/** The sizes that a compiled graph is for. */
export interface BatchShape {
  readonly batchSize: number;
  readonly seqLength: number;
  readonly maxPredictions: number;
}

/** A place in the model where dropout acts. */
export interface DropoutSite {
  /** The name of the graph's uint8 input for its mask. */
  readonly name: string;
  readonly shape: readonly number[];
  /** The share that is dropped, in [0, 1). */
  readonly rate: number;
}

/** A compiled graph with its dropout sites. */
export interface CompiledStep {
  readonly executable: Executable;
  /** Their order names the random streams, so it must not change from one run to the next. */
  readonly dropoutSites: readonly DropoutSite[];
  /** Floating-point operations of one run, if they were counted. */
  readonly flops?: number;
}

/** Compiles the pre-training graph for a shape, once each. */
export type CompileStep = (shape: BatchShape, mode: "train" | "evaluate") => Promise<CompiledStep>;

/** Scalars that the graph may give besides the loss. */
type ScalarName = "mlm_loss" | "nsp_loss" | "mlm_correct" | "nsp_correct";

/** Keeps the masks' random numbers apart from those of the order of the data. */
const DROPOUT_STREAM = 0x64726f70;

/** Weights, compiled graphs and buffers of a training run. */
export class PretrainingStep {
  readonly #weights: Readonly<Record<string, HostTensor>>;
  readonly #compile: CompileStep;
  readonly #seed: number;
  readonly #compiled = new Map<string, Promise<CompiledStep>>();
  readonly #gradientOutputs: Record<string, HostTensor> = {};
  readonly #masks = new Map<string, Uint8Array>();
  /** float32 by parameter name; overwritten by each `train`. */
  readonly gradients: Gradients;

  /**
   * @param trainable - float32 weights whose gradients the graph gives. @param seed - of the dropout masks.
   * @param frozen - float32 weights that the graph takes besides.
   */
  constructor(trainable: NamedTensors, compile: CompileStep, seed: number, frozen: NamedTensors = new Map()) {
    this.#weights = Object.fromEntries([...trainable, ...frozen]);
    this.#compile = compile;
    this.#seed = Random.derive(seed, DROPOUT_STREAM).uint32();
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
   */
  async train(batch: PretrainingBatch, index: number): Promise<MetricSums> {
    const { executable, dropoutSites, flops = 0 } = await this.#compiledFor(batch, "train");
    const inputs = { ...this.#weights, ...batchInputs(batch), ...this.#drawMasks(dropoutSites, index) };
    const outputs = await executable.run(inputs, this.#gradientOutputs);
    this.#takeBack(outputs);
    return sums(batch, outputs, flops);
  }

  /** Loss and accuracy of one batch, without dropout. @param instead - weights to take in place of those of their names. */
  async evaluate(batch: PretrainingBatch, instead: NamedTensors = new Map()): Promise<MetricSums> {
    const { executable, flops = 0 } = await this.#compiledFor(batch, "evaluate");
    const weights = { ...this.#weights, ...Object.fromEntries(instead) };
    return sums(batch, await executable.run({ ...weights, ...batchInputs(batch) }), flops);
  }

  /** Frees the compiled graphs. */
  async dispose(): Promise<void> {
    const compiled = await Promise.allSettled(this.#compiled.values());
    this.#compiled.clear();
    for (const step of compiled) if (step.status === "fulfilled") await step.value.executable.dispose();
  }

  #compiledFor(shape: BatchShape, mode: "train" | "evaluate"): Promise<CompiledStep> {
    const key = `${mode} ${shape.batchSize} ${shape.seqLength} ${shape.maxPredictions}`;
    let compiled = this.#compiled.get(key);
    if (compiled === undefined) {
      const { batchSize, seqLength, maxPredictions } = shape;
      compiled = this.#compile({ batchSize, seqLength, maxPredictions }, mode);
      this.#compiled.set(key, compiled);
    }
    return compiled;
  }

  /** Masks of all sites; each site keeps one buffer, as large as its largest shape so far. */
  #drawMasks(sites: readonly DropoutSite[], index: number): Record<string, HostTensor> {
    const masks: Record<string, HostTensor> = {};
    sites.forEach(({ name, shape, rate }, site) => {
      const length = elementCount(shape);
      let buffer = this.#masks.get(name);
      if (buffer === undefined || buffer.length < length) {
        buffer = new Uint8Array(length);
        this.#masks.set(name, buffer);
      }
      const mask = buffer.subarray(0, length);
      fillKeepMask(mask, rate, this.#seed, index, site);
      masks[name] = hostTensor("uint8", shape, mask);
    });
    return masks;
  }

  /** An engine that cannot write into given memory returns its own: the gradients are copied then. */
  #takeBack(outputs: Readonly<Record<string, HostTensor>>): void {
    for (const [name, own] of Object.entries(this.#gradientOutputs)) {
      const output = expectOutput(outputs, name);
      if (output.data !== own.data) (own.data as Float32Array).set(output.data as Float32Array);
    }
  }
}

/** The inputs of the graph that are the batch. */
function batchInputs(batch: PretrainingBatch): Record<string, HostTensor> {
  const { batchSize, seqLength, maxPredictions } = batch;
  const tokens = [batchSize, seqLength];
  const slots = [batchSize, maxPredictions];
  return {
    input_ids: hostTensor("int32", tokens, batch.inputIds),
    token_type_ids: hostTensor("int32", tokens, batch.tokenTypeIds),
    attention_mask: hostTensor("int32", tokens, batch.attentionMask),
    masked_lm_positions: hostTensor("int32", slots, batch.maskedLmPositions),
    masked_lm_ids: hostTensor("int32", slots, batch.maskedLmIds),
    masked_lm_weights: hostTensor("float32", slots, batch.maskedLmWeights),
    next_sentence_labels: hostTensor("int32", [batchSize], batch.nextSentenceLabels),
  };
}

function sums(batch: PretrainingBatch, outputs: Readonly<Record<string, HostTensor>>, flops: number): MetricSums {
  // Without next sentence prediction the graph does not give its loss.
  const scalar = (name: ScalarName) => Number(outputs[name]?.data[0] ?? 0);
  const total = (values: Float32Array | Int32Array) => {
    let sum = 0;
    for (const value of values) sum += value;
    return sum;
  };
  return {
    microBatches: 1,
    loss: Number(expectOutput(outputs, "loss").data[0]),
    mlmLoss: scalar("mlm_loss"),
    nspLoss: scalar("nsp_loss"),
    mlmCorrect: scalar("mlm_correct"),
    predictions: total(batch.maskedLmWeights),
    ...wordSums(batch, outputs["mlm_right"]?.data as Float32Array | undefined),
    nspCorrect: scalar("nsp_correct"),
    sequences: batch.nextSentenceLabels.filter((label) => label !== IGNORED_LABEL).length,
    tokens: total(batch.attentionMask),
    places: batch.batchSize * batch.seqLength,
    flops,
  };
}

/** Words of several tokens that are masked whole, and those whose tokens are all right; a graph with gradients does not tell. */
function wordSums({ maskedWords, maskedLmWeights, maxPredictions }: PretrainingBatch, right?: Float32Array) {
  let [words, wordsCorrect] = [0, 0];
  if (maskedWords === undefined || right === undefined) return { words, wordsCorrect };
  for (let first = 0; first < maskedWords.length; first++) {
    const slot = first % maxPredictions;
    if (maskedWords[first] !== slot || maskedLmWeights[first] === 0) continue;
    words++;
    // The slots of a word follow each other within their row.
    const rowEnd = first - slot + maxPredictions;
    let end = first;
    while (end < rowEnd && maskedWords[end] === slot && right[end] === 1) end++;
    if (end === rowEnd || maskedWords[end] !== slot) wordsCorrect++;
  }
  return { words, wordsCorrect };
}

function expectOutput(outputs: Readonly<Record<string, HostTensor>>, name: string): HostTensor {
  const output = outputs[name];
  if (output !== undefined) return output;
  throw new TrainingError({
    where: "pre-training step",
    expected: `the graph to give ${name}`,
    got: { verbatim: "nothing" },
  });
}

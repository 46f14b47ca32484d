/**
 * Steps of pre-training: masked words and next sentences, loss, gradients, clipping and AdamW. Ours for any config, PyTorch's for
 * the sizes that it knows, and the benchmarks that set them against each other.
 */
import type { PretrainingBatch } from "../src/data/instance.ts";
import type { BertConfig } from "../src/model/config.ts";
import type { Random } from "../src/util/random.ts";
import type { Bench, Comparison, Facts, Settings, Side, Work } from "./bench.ts";
import { built } from "./built.ts";
import { type EngineSettings, engineSettings, outsideEngine, timedRuntime } from "./engine.ts";
import { encoderFlop, mlmHeadFlop, TRAINING_PASSES } from "./flop.ts";
import { pythonPeer, torchDtype } from "./peers.ts";

/** Those of the peers: the published Chinese vocabulary, its first ordinary token, and [MASK]. */
const [VOCAB_SIZE, FIRST_TOKEN, MASK_ID] = [21_128, 1000, 103];
const LEARNING_RATE = 1e-4;
const MAX_GRADIENT_NORM = 1;

interface Sizes extends EngineSettings {
  readonly batch: number;
  readonly seq: number;
  readonly masked: number;
}

function sizes(settings: Settings): Sizes {
  return settings as unknown as Sizes;
}

/** Random tokens without padding; `masked` places in each row. */
function randomBatch({ batch, seq, masked }: Sizes, random: Random): PretrainingBatch {
  const inputIds = Int32Array.from(
    { length: batch * seq },
    () => FIRST_TOKEN + random.integer(VOCAB_SIZE - FIRST_TOKEN),
  );
  const maskedLmPositions = new Int32Array(batch * masked);
  const maskedLmIds = new Int32Array(batch * masked);
  for (let row = 0; row < batch; row++) {
    const places = random.shuffle(Int32Array.from({ length: seq }, (_, place) => place)).subarray(0, masked);
    places.sort().forEach((place, i) => {
      maskedLmPositions[row * masked + i] = place;
      maskedLmIds[row * masked + i] = inputIds[row * seq + place] as number;
      inputIds[row * seq + place] = MASK_ID;
    });
  }
  return {
    batchSize: batch,
    seqLength: seq,
    maxPredictions: masked,
    inputIds,
    tokenTypeIds: Int32Array.from({ length: batch * seq }, (_, i) => Number(i % seq >= seq / 2)),
    attentionMask: new Int32Array(batch * seq).fill(1),
    maskedLmPositions,
    maskedLmIds,
    maskedLmWeights: new Float32Array(batch * masked).fill(1),
    nextSentenceLabels: Int32Array.from({ length: batch }, () => random.integer(2)),
  };
}

/** A config of the published vocabulary's size, by a name that both sides know, or BERT-base with another number of layers. */
export async function trainedConfig(size: string, layers?: number): Promise<BertConfig> {
  const { builtinConfig } = await built("node/index");
  const config = builtinConfig(size as Parameters<typeof builtinConfig>[0], VOCAB_SIZE);
  return layers === undefined ? config : { ...config, numHiddenLayers: layers };
}

/** One step of ours. */
export async function ourStep(config: BertConfig, settings: Settings): Promise<Work> {
  const [{ AdamW, initializeWeights }, { Random }] = [await built("node/index"), await built("util/random")];
  const [{ compilePretraining }, { PretrainingStep }] = [
    await built("train/compile-pretraining"),
    await built("train/pretraining-step"),
  ];
  const { clipScale, globalNorm } = await built("train/clipping");
  const { PassWorkers } = await built("node/pass-workers");
  const { batch, seq, masked, threads } = sizes(settings);
  const { runtime, takeSeconds, version } = await timedRuntime(sizes(settings), "training", config);
  const weights = initializeWeights(config, new Random(0), { nextSentence: true });
  const passes = new PassWorkers(threads);
  const compile = compilePretraining(runtime, config, { nextSentence: true });
  const step = new PretrainingStep(weights, compile, 0, undefined, passes);
  const optimizer = new AdamW(weights, { name: "adamw", passes });
  const random = new Random(0);
  const batches = Array.from({ length: 4 }, () => randomBatch(sizes(settings), random));
  let turn = 0;
  const run = async (): Promise<Facts> => {
    const { loss } = await step.train(batches[turn % batches.length] as PretrainingBatch, turn++);
    const scale = clipScale(await globalNorm(step.gradients, passes), MAX_GRADIENT_NORM, "pytorch");
    await optimizer.update(step.gradients, LEARNING_RATE, scale);
    return { loss, engineSeconds: takeSeconds() };
  };
  const flop = TRAINING_PASSES * (encoderFlop(config, batch, seq) + mlmHeadFlop(config, batch * masked));
  return { version, amounts: { tokens: batch * seq, examples: batch, flop }, run };
}

/** One step of PyTorch, with flags of its script. */
export function torchStep(size: string, settings: Settings, options: Readonly<Record<string, string | true>>) {
  const { batch, seq, masked, threads, precision } = sizes(settings);
  const model = { task: "mlm-nsp", size, batch, seq, "mask-prob": masked / seq };
  return pythonPeer("train_step.py", { ...model, dtype: torchDtype(precision), threads, ...options });
}

/** The settings of all benchmarks of a step. */
export function stepSettings(batch: number): Bench["settings"] {
  return {
    batch: [batch, "sequences"],
    seq: [128, "tokens of a sequence"],
    masked: [20, "masked tokens of a sequence"],
    ...engineSettings("f32"),
  };
}

/** Our share outside the engine, and the loss. */
export function stepRemark(facts: Facts): string {
  return [...outsideEngine(facts), `loss ${facts["loss"]?.toFixed(2)}`].join("; ");
}

/** What is told apart between benchmarks of a step. */
export interface StepBench {
  readonly summary: string;
  readonly size: string;
  readonly cases: readonly Settings[];
  readonly rounds: number;
  /** Flags of train_step.py by the names of the sides. */
  readonly peers: Readonly<Record<string, Readonly<Record<string, string | true>>>>;
  readonly comparisons: readonly Omit<Comparison, "ours">[];
  readonly same: readonly string[];
}

/** A benchmark of our step against PyTorch's in the same precision; `size` is a setting. */
export function stepBench({ summary, size, cases, rounds, peers, comparisons, same }: StepBench): Bench {
  const sizeOf = ({ size }: Settings) => String(size);
  const theirs = Object.entries(peers).map(
    ([name, options]): Side => ({ name, peer: (settings) => torchStep(sizeOf(settings), settings, options) }),
  );
  return {
    summary,
    settings: { size: [size, "tiny, rbt3 or base"], ...stepSettings(32) },
    cases,
    rounds,
    rate: { amount: "tokens", scale: 1, unit: "tokens/s" },
    sides: [
      { name: "zhbert", prepare: async (settings) => ourStep(await trainedConfig(sizeOf(settings)), settings) },
      ...theirs,
    ],
    comparisons: comparisons.map((comparison) => ({ ours: "zhbert", ...comparison })),
    same,
    problem: ({ loss = Number.NaN }) => (Number.isFinite(loss) ? undefined : "the loss is not finite"),
    remark: stepRemark,
  };
}

/**
 * The benchmarks of a pre-training step by the model's size: masked words and next sentences, loss, gradients, clipping and AdamW;
 * torch likewise.
 */
import type { PretrainingBatch } from "../src/data/instance.ts";
import type { Random } from "../src/util/random.ts";
import type { Bench, Facts, Settings, Work } from "./bench.ts";
import { built } from "./built.ts";
import { engineVersion, timedRuntime } from "./engine.ts";
import { pythonPeer } from "./peers.ts";

/** Those of the peers: the published Chinese vocabulary, its first ordinary token, and [MASK]. */
const [VOCAB_SIZE, FIRST_TOKEN, MASK_ID] = [21_128, 1000, 103];
const LEARNING_RATE = 1e-4;
const MAX_GRADIENT_NORM = 1;

/** Sizes that both sides know by these names. */
type Size = "tiny" | "rbt3" | "base";

interface Sizes {
  readonly batch: number;
  readonly seq: number;
  readonly masked: number;
  readonly threads: number;
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

async function ourStep(size: Size, settings: Settings): Promise<Work> {
  const [{ AdamW, builtinConfig, initializeWeights }, { Random }] = [
    await built("node/index"),
    await built("util/random"),
  ];
  const [{ compilePretraining }, { PretrainingStep }] = [
    await built("train/compile-pretraining"),
    await built("train/pretraining-step"),
  ];
  const { clipScale, globalNorm } = await built("train/clipping");
  const { PassWorkers } = await built("node/pass-workers");
  const { batch, seq, threads } = sizes(settings);
  const config = builtinConfig(size, VOCAB_SIZE);
  const { runtime, takeSeconds } = await timedRuntime(threads);
  const weights = initializeWeights(config, new Random(0), { nextSentence: true });
  const step = new PretrainingStep(weights, compilePretraining(runtime, config, { nextSentence: true }), 0);
  const passes = new PassWorkers(threads);
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
  return { version: engineVersion(), amounts: { tokens: batch * seq, examples: batch }, run };
}

const torch = (size: Size, options: Readonly<Record<string, true>>) => (settings: Settings) => {
  const { batch, seq, masked, threads } = sizes(settings);
  const model = { task: "mlm-nsp", size, batch, seq, "mask-prob": masked / seq };
  return pythonPeer("train_step.py", { ...model, dtype: "fp32", threads, ...options });
};

/** What is to be reached: how many times as fast as torch with the logits of masked tokens alone, or of all. */
interface Goals {
  readonly masked?: number;
  readonly all?: number;
}

/** The benchmark of a size. @param batch - sequences, unless the command line says. */
export function pretrainingBench(size: Size, batch: number, rounds: number, goals: Goals): Bench {
  const against = (theirs: string, goal: number | undefined) => ({
    ours: "zhbert",
    theirs,
    ...(goal === undefined ? {} : { goal }),
  });
  return {
    summary: `one pre-training step (MLM + NSP) of config ${size}, 21,128 tokens, dropout 0.1, AdamW; fp32`,
    settings: {
      batch: [batch, "sequences"],
      seq: [128, "tokens of a sequence"],
      masked: [20, "masked tokens of a sequence"],
      threads: [2, "threads of each engine"],
    },
    rounds,
    rate: { amount: "tokens", scale: 1, unit: "tokens/s" },
    sides: [
      { name: "zhbert", prepare: (settings) => ourStep(size, settings) },
      { name: "torch, logits of masked tokens", peer: torch(size, { "sparse-mlm": true }) },
      { name: "torch, logits of all tokens", peer: torch(size, {}) },
    ],
    comparisons: [
      against("torch, logits of masked tokens", goals.masked),
      against("torch, logits of all tokens", goals.all),
    ],
    same: ["tokens", "examples"],
    remark: ({ engineSeconds, seconds, loss }) => {
      const outside = engineSeconds === undefined ? [] : [1 - engineSeconds / (seconds as number)];
      const share = outside.map((part) => `${(part * 100).toFixed(1)} % outside the engine`);
      return [...share, `loss ${loss?.toFixed(2)}`].join("; ");
    },
  };
}

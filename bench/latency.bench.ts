/** One text at a time, from text to vector: how long it takes, and how much of that is not the engine's. */
import type { Bench, Facts, Settings, Work } from "./bench.ts";
import { engineSettings } from "./engine.ts";
import { fixedTexts } from "./fixed-texts.ts";
import {
  agreement,
  cosineRemark,
  countTokens,
  floatPeers,
  type InferenceSizes,
  prepareModel,
  timedModel,
  tooFar,
  vectorsOf,
} from "./inference.ts";
import { percentile, spread } from "./statistics.ts";

/** The most milliseconds of a request that may pass outside the engine. */
const OVERHEAD_GOAL_MS = 0.3;

interface Sizes extends InferenceSizes {
  readonly seq: number;
  readonly requests: number;
}

const sizesOf = (settings: Settings) => settings as unknown as Sizes;

async function ours(settings: Settings): Promise<Work> {
  const sizes = sizesOf(settings);
  const folder = await prepareModel(sizes.layers);
  const { model, takeSeconds, version } = await timedModel(folder, sizes);
  const texts = fixedTexts(sizes.requests, sizes.seq);
  const facts = await agreement(model, folder, texts);
  const run = async (): Promise<Facts> => {
    const [seconds, outside]: [number[], number[]] = [[], []];
    takeSeconds();
    for (const text of texts) {
      const began = performance.now();
      await vectorsOf(model, [text]);
      const took = (performance.now() - began) / 1000;
      seconds.push(took);
      outside.push(took - takeSeconds());
    }
    const median = spread(seconds).median;
    return {
      seconds: median,
      p95_ms: 1000 * percentile(seconds, 0.95),
      outside_ms: 1000 * spread(outside).median,
    };
  };
  return { version, amounts: { tokens: countTokens(model, texts.slice(0, 1)) }, facts, run };
}

const peers = floatPeers((settings) => {
  const { seq, requests } = sizesOf(settings);
  return { mode: "latency", seq, requests, texts: 64 };
});

const bench: Bench = {
  summary: "one text at a time to its vector; ours from the text on, the peers from its ids on",
  settings: {
    seq: [128, "tokens of a text"],
    requests: [50, "texts of a run; its time is the median"],
    layers: [3, "Transformer layers of 768 columns: 3 is RBT3, 12 BERT-base"],
    ...engineSettings("auto"),
  },
  cases: [3, 12].flatMap((layers) => [16, 32, 128, 512].map((seq) => ({ layers, seq }))),
  rounds: 5,
  rate: { amount: "tokens", scale: 1, unit: "tokens/s" },
  sides: [{ name: "zhbert", prepare: ours }, ...peers],
  comparisons: [{ ours: "zhbert", theirs: peers.map(({ name }) => name), goal: 1 }],
  same: ["tokens"],
  problem: tooFar,
  remark: (facts) => {
    const { seconds = 0, p95_ms: late = 0, outside_ms: outside } = facts;
    const times = `${(1000 * seconds).toFixed(2)} ms, 95 % within ${late.toFixed(2)} ms`;
    return [times, ...(outside === undefined ? [] : [overhead(outside)]), ...cosineRemark(facts)].join("; ");
  },
};
export default bench;

function overhead(milliseconds: number): string {
  const verdict = milliseconds <= OVERHEAD_GOAL_MS ? "reached" : "missed";
  return `${milliseconds.toFixed(3)} ms outside the engine (goal ${OVERHEAD_GOAL_MS}: ${verdict})`;
}

/** Texts of mixed lengths to mean-pooled vectors, tokenising included: RBT3 and BERT-base with random weights. */
import type { Bench, Facts, Settings, Work } from "./bench.ts";
import { engineSettings, outsideEngine } from "./engine.ts";
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
import { mixedTexts } from "./text-stream.ts";

interface Sizes extends InferenceSizes {
  readonly texts: number;
}

async function ours(settings: Settings): Promise<Work> {
  const sizes = settings as unknown as Sizes;
  const folder = await prepareModel(sizes.layers);
  const { model, takeSeconds, version } = await timedModel(folder, sizes);
  const texts = mixedTexts(sizes.texts);
  const facts = await agreement(model, folder, texts);
  const run = async (): Promise<Facts> => {
    takeSeconds();
    const { length } = await vectorsOf(model, texts);
    return { vectors: length, engineSeconds: takeSeconds() };
  };
  return { version, amounts: { examples: texts.length, tokens: countTokens(model, texts) }, facts, run };
}

const peers = floatPeers((settings) => ({ mode: "throughput", texts: (settings as unknown as Sizes).texts }));

const bench: Bench = {
  summary: "texts of mixed lengths to vectors, tokenising included; layers of BERT-base's size",
  settings: {
    texts: [1000, "texts of 6 to 512 tokens"],
    layers: [3, "Transformer layers of 768 columns: 3 is RBT3, 12 BERT-base"],
    ...engineSettings("auto"),
    streams: ["auto", "runs of ours at a time, each on its share of the threads; auto for what is faster"],
  },
  cases: [{ layers: 3 }, { layers: 12 }],
  rounds: 5,
  rate: { amount: "examples", scale: 1, unit: "texts/s" },
  sides: [{ name: "zhbert", prepare: ours }, ...peers],
  comparisons: [
    { ours: "zhbert", theirs: peers.map(({ name }) => name), goal: 1.3 },
    ...peers.map(({ name }) => ({ ours: "zhbert", theirs: name })),
  ],
  same: ["examples", "tokens"],
  problem: tooFar,
  remark: (facts) => [...outsideEngine(facts), ...cosineRemark(facts)].join("; "),
};
export default bench;

/** What a token costs by length, batch, layers and threads, in training and in use; drawn as charts. */
import { type Bench, Skip } from "./bench.ts";
import { encodingWork } from "./inference.ts";
import { ourStep, stepRemark, stepSettings, torchStep, trainedConfig } from "./pretraining.ts";

/** Sizes that PyTorch's script knows, by their layers. */
const NAMES = new Map([
  [3, "rbt3"],
  [12, "base"],
]);

const [TRAINING, TORCH] = ["training step", "training step of torch"];
const bench: Bench = {
  summary: "tokens a second by length, batch, layers and threads; layers of BERT-base's width",
  settings: { layers: [3, "Transformer layers of 768 columns"], ...stepSettings(8) },
  sweeps: { seq: [32, 64, 128, 256, 512], batch: [1, 2, 4, 8, 16, 32], layers: [1, 3, 6, 12], threads: [1, 2] },
  rounds: 3,
  rate: { amount: "tokens", scale: 1, unit: "tokens/s" },
  sides: [
    { name: "texts to vectors", prepare: encodingWork },
    {
      name: TRAINING,
      prepare: async (settings) => ourStep(await trainedConfig("base", Number(settings["layers"])), settings),
    },
    {
      name: TORCH,
      peer: (settings) => {
        const size = NAMES.get(Number(settings["layers"]));
        if (size === undefined) throw new Skip("the peer knows 3 and 12 layers");
        return torchStep(size, settings, { "sparse-mlm": true });
      },
    },
  ],
  comparisons: [{ ours: TRAINING, theirs: TORCH }],
  same: ["tokens"],
  remark: (facts) => (facts["loss"] === undefined ? "" : stepRemark(facts)),
};
export default bench;

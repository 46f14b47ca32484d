/**
 * Fine-tuning on ChnSentiCorp for an epoch (or a part of one), at the size of RBT3: examples a second from the first batch
 * to the last update, the compilation of graphs included; tokenising and scoring are not timed. Both sides start from the
 * same weights.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { EngineChoice } from "../src/node/runtimes.ts";
import type { Bench, Facts, Settings, Work } from "./bench.ts";
import { built } from "./built.ts";
import { benchFolder } from "./corpus.ts";
import { type EngineSettings, engineSettings } from "./engine.ts";
import { pythonPeer, torchDtype } from "./peers.ts";
import { prepareTaskModel } from "./task-models.ts";
import { linesOf, taskFile } from "./text-stream.ts";

/** Those of the peer. */
const [MAX_LENGTH, LEARNING_RATE, WARMUP_SHARE] = [128, 2e-5, 0.1];
const LAYERS = 3;

interface Sizes extends EngineSettings {
  readonly examples: number;
  readonly batch: number;
}

const sizes = (settings: Settings) => settings as unknown as Sizes;

const prepareModel = () => prepareTaskModel(LAYERS, { task: "classify", maxSeqLength: MAX_LENGTH, labels: ["0", "1"] });

/** The first records of each split, as the peer takes them. */
function prepareData(examples: number): string {
  const folder = `${benchFolder}chnsenticorp-${examples}`;
  mkdirSync(folder, { recursive: true });
  for (const split of ["train", "dev", "test"]) {
    const lines = linesOf(taskFile("chnsenticorp", `chnsenticorp/${split}.tsv`));
    writeFileSync(`${folder}/${split}.tsv`, `${lines.slice(0, examples + 1).join("\n")}\n`);
  }
  return folder;
}

async function ours(settings: Settings): Promise<Work> {
  const { examples, batch, threads, runtime, precision } = sizes(settings);
  const { fineTune } = await built("node/fine-tune");
  const { loadPretrained, loadTaskData } = await built("node/index");
  const [model, folder] = [await prepareModel(), prepareData(examples)];
  const data = { name: "chnsenticorp", folder };
  const { tokenizer } = await loadPretrained(model);
  const { splits } = await loadTaskData(data);
  const texts = ((splits.train ?? []) as readonly { readonly text: string }[]).map(({ text }) => text);
  const tokens = texts.reduce((sum, text) => sum + tokenizer.encode(text, { maxLength: MAX_LENGTH }).ids.length, 0);
  const output = mkdtempSync(join(tmpdir(), "zhbert-bench-"));
  process.on("exit", () => rmSync(output, { recursive: true, force: true }));
  const run = async (): Promise<Facts> => {
    let [began, ended] = [0, 0];
    const choices = { epochs: 1, batchSize: batch, learningRate: LEARNING_RATE, warmupShare: WARMUP_SHARE };
    const { best } = await fineTune({
      ...{ model, data, output, overwrite: true, task: { maxSeqLength: MAX_LENGTH } },
      ...({ runtime, precision, threads } as EngineChoice),
      ...{ ...choices, keepLast: true, saveSteps: 0 },
      onStart: () => {
        began = performance.now();
      },
      onStep: () => {
        ended = performance.now();
      },
    });
    const accuracy = (split: string) => best.scores[split]?.["accuracy"] ?? 0;
    return {
      seconds: (ended - began) / 1000,
      steps: best.step,
      dev_accuracy: accuracy("dev"),
      test_accuracy: accuracy("test"),
    };
  };
  return { version: `${runtime} ${precision}`, amounts: { examples: texts.length, tokens }, warmUps: 0, run };
}

const bench: Bench = {
  summary: "an epoch of fine-tuning RBT3 (random weights) on ChnSentiCorp, 128 tokens at most, dropout 0.1",
  settings: {
    examples: [3200, "training examples, from the first on; 9600 are all"],
    batch: [32, "examples of an update"],
    ...engineSettings("f32"),
  },
  cases: [{ precision: "bf16" }, { precision: "f32" }],
  rounds: 3,
  rate: { amount: "examples", scale: 1, unit: "examples/s" },
  sides: [
    { name: "zhbert", prepare: ours },
    {
      name: "torch",
      peer: (settings) => {
        const { examples, batch, threads, precision } = sizes(settings);
        const dtype = torchDtype(precision);
        const init = `${benchFolder}model-classify-${LAYERS}/model.safetensors`;
        const course = { lr: LEARNING_RATE, epochs: 1, dropout: 0.1, "max-length": MAX_LENGTH };
        const options = { loader: "plain", size: "rbt3", dtype, limit: examples, batch, threads, init };
        return pythonPeer("finetune.py", { ...course, ...options });
      },
    },
  ],
  comparisons: [{ ours: "zhbert", theirs: "torch", goal: 1.2 }],
  same: ["examples", "tokens"],
  remark: ({ dev_accuracy: dev, test_accuracy: test }) =>
    `accuracy after it: dev ${percent(dev)}, test ${percent(test)}`,
};
export default bench;

function percent(share: number | undefined): string {
  return `${((share ?? 0) * 100).toFixed(1)} %`;
}

/**
 * npm run demo: the main job on real text, each step as the command that a user would type.
 *
 * Plain text -> whole-word-masked data -> a small BERT, pre-trained -> masks filled, before and after.
 */
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import pc from "picocolors";
import {
  type BertConfig,
  BertModel,
  BertTokenizer,
  configToJson,
  createOnnxRuntime,
  type FillMaskCandidate,
  initializeWeights,
  lazyTensors,
  loadVocabulary,
  parseConfig,
  Random,
  type Vocabulary,
} from "../src/node/index.ts";
import { inPercent } from "../src/util/percent.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const main = join(root, "dist", "cli", "main.js");
const corpusFolder = join(root, "examples", "corpus");

/** Sentences that are not in the corpus. */
const PROMPTS = [
  "今天天[MASK]很好，我们去公园散步。",
  "请先打开电脑[MASK]再插上键盘。",
  "这家店[MASK]服务很好。",
  "他坐[MASK]椅子上看书[MASK]",
];

/** Small enough for minutes on two cores; matrices start larger than BERT's 0.02, as their rows are shorter. */
const MODEL = { layers: 2, hidden: 128, heads: 4, initializerRange: 0.06 };
const TRAINING = { steps: "3000", batchSize: "16", learningRate: "6e-4" };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    corpus: { type: "string", multiple: true },
    output: { type: "string", default: "demo-output" },
    steps: { type: "string", default: TRAINING.steps },
  },
});
const corpus = [...(values.corpus ?? []), ...positionals];
const folder = values.output;
const dataFolder = join(folder, "data");
const modelFolder = join(folder, "model");
const configPath = join(folder, "config.json");

process.on("SIGINT", () => {
  // The command that is running saves and stops; its exit code ends the demo.
});

const vocabulary = await loadVocabulary();
const config = demoConfig(vocabulary);
await mkdir(folder, { recursive: true });
await writeFile(configPath, `${JSON.stringify(configToJson(config), undefined, 2)}\n`);

heading("1. Training data: full sentences, words masked whole");
const shape = ["--max-seq-length", "64", "--max-predictions-per-seq", "10"];
await zhbert([
  "data",
  ...corpusFiles(),
  "-o",
  dataFolder,
  ...shape,
  "--dupe-factor",
  "5",
  "--no-nsp",
  "--held-out",
  "0.1",
]);

heading("2. Pre-training: predicting what is masked");
const size = ["--steps", values.steps, "--batch-size", TRAINING.batchSize];
const rate = ["--learning-rate", TRAINING.learningRate, "--dynamic-masking"];
const saving = ["--eval-every", String(Math.ceil(Number(values.steps) / 5)), "--save-steps", "1000", "--overwrite"];
await zhbert(["pretrain", dataFolder, "--config", configPath, "-o", modelFolder, ...size, ...rate, ...saving]);

heading("3. Masks filled, before and after");
await printMasks(vocabulary);
console.log(`
The model is in ${modelFolder}, its loss curve in ${join(modelFolder, "loss-curve.svg")}.
Try it:   npx zhbert fill-mask ${modelFolder} "今天天[MASK]很好。"
Go on:    npx zhbert pretrain ${dataFolder} --init ${modelFolder} -o ${join(folder, "more")} --dynamic-masking
Your own: npm run demo -- --corpus my.txt`);

function demoConfig(vocabulary: Vocabulary): BertConfig {
  const { layers, hidden, heads, initializerRange } = MODEL;
  const json = {
    vocab_size: vocabulary.size,
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: 4 * hidden,
    initializer_range: initializerRange,
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
  };
  return parseConfig(json, "the demo's config");
}

/** The user's files, or the example corpus. */
function corpusFiles(): string[] {
  if (corpus.length > 0) return corpus;
  const names = readdirSync(corpusFolder).filter((name) => name.endsWith(".txt"));
  return names.map((name) => relative(process.cwd(), join(corpusFolder, name)));
}

function heading(text: string): void {
  console.log(`\n${pc.bold(text)}\n`);
}

/** Runs a command of zhbert as the user would; a failure ends the demo with its exit code. */
async function zhbert(args: readonly string[]): Promise<void> {
  console.log(pc.dim(`$ npx zhbert ${args.join(" ")}`));
  const child = spawn(process.execPath, [main, ...args], { stdio: "inherit" });
  const code = await new Promise<number>((resolve) => child.on("close", (status) => resolve(status ?? 1)));
  if (code !== 0) process.exit(code);
}

/** Each prompt with the three likeliest entries of the random model and of the trained one. */
async function printMasks(vocabulary: Vocabulary): Promise<void> {
  const runtime = createOnnxRuntime();
  const weights = lazyTensors(initializeWeights(config, new Random(1), { nextSentence: false }));
  const before = new BertModel({ config, weights, tokenizer: new BertTokenizer(vocabulary), runtime });
  const after = await BertModel.fromPretrained(modelFolder, { runtime });
  const table = new Table({ head: ["text", "before: random weights", "after"], style: { head: [], border: [] } });
  const filled = await Promise.all([before, after].map((model) => model.fillMask(PROMPTS, { topK: 3 })));
  PROMPTS.forEach((text, i) => {
    const best = filled.map((results) => (results[i]?.masks ?? []).map(shown).join("\n"));
    table.push([text, ...best]);
  });
  console.log(table.toString());
  await runtime.dispose();
}

/** The entries of one mask on a line. */
function shown(candidates: readonly FillMaskCandidate[]): string {
  return candidates.map(({ token, score }) => `${token} ${inPercent(score)} %`).join("  ");
}

/**
 * The same model fine-tuned by zhbert and by Transformers on the same rows in the same order, seed by seed, and the table of
 * both (docs/results.md says more):
 *
 *   npx tsx scripts/compare-finetuning.ts --model out-pretrained/ --data tasks/ --output compared/ --python python3
 *
 * What is finished is kept in the output folder; the same command goes on after an interruption.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { prepare } from "../src/node/fine-tuning-inputs.ts";
import { createOnnxRuntime } from "../src/node/onnxruntime.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import type { EncodedExamples } from "../src/tasks/task-batches.ts";
import { initialWeights, kept, type SideResult, scoresOf, trainHere, trainThere } from "./finetuning-sides.ts";

/** How long rows are, and how long is trained: what two processors do within hours. */
const TASKS: Readonly<Record<string, { folder: string; maxSeqLength: number; epochs: number }>> = {
  chnsenticorp: { folder: "chnsenticorp", maxSeqLength: 128, epochs: 3 },
  afqmc: { folder: "afqmc", maxSeqLength: 128, epochs: 3 },
  tnews: { folder: "tnews", maxSeqLength: 128, epochs: 3 },
  "msra-ner": { folder: ".", maxSeqLength: 128, epochs: 3 },
  cmrc2018: { folder: "cmrc2018", maxSeqLength: 384, epochs: 2 },
};

const { values: options } = parseArgs({
  options: {
    model: { type: "string" },
    data: { type: "string" },
    output: { type: "string", default: "compared" },
    python: { type: "string", default: process.env["ZHBERT_BENCH_PYTHON"] ?? "python3" },
    tasks: { type: "string", default: Object.keys(TASKS).join(",") },
    examples: { type: "string", default: "10000" },
    "eval-examples": { type: "string", default: "10000" },
    epochs: { type: "string" },
    seeds: { type: "string", default: "3" },
    batch: { type: "string", default: "32" },
    lr: { type: "string", default: "1e-4" },
    dropout: { type: "string", default: "0.1" },
    threads: { type: "string", default: "2" },
  },
});

interface TaskResult {
  readonly title: string;
  /** Training examples. */
  readonly examples: number;
  readonly split: string;
  readonly metric: string;
  /** In [0, 1]: of the model before training, its head drawn at random. */
  readonly untrained: number;
  /** Of the answer that is the commonest in training; 0 where that finds nothing. */
  readonly majority: number;
  readonly ours: readonly SideResult[];
  readonly theirs: readonly SideResult[];
}

async function compareTask(name: string, runtime: Runtime): Promise<TaskResult> {
  const shape = TASKS[name];
  if (shape === undefined) throw new Error(`--tasks: expected some of ${Object.keys(TASKS).join(", ")}, got ${name}`);
  const prepared = await prepare(jobOf(name, shape, runtime.threads), {}, runtime);
  const { inputs } = prepared;
  const { primaryMetric: metric } = inputs.task;
  const split = inputs.tests["test"] === undefined ? "dev" : "test";
  const evaluated = firstOf((inputs.tests["test"] ?? inputs.dev) as EncodedExamples, Number(options["eval-examples"]));
  const [ours, theirs]: [SideResult[], SideResult[]] = [[], []];
  let untrained = 0;
  for (let seed = 1; seed <= Number(options.seeds); seed++) {
    const folder = join(options.output, `${name}-${seed}`);
    mkdirSync(folder, { recursive: true });
    const weights = initialWeights(inputs, seed);
    if (seed === 1) untrained = (await scoresOf(inputs, weights, evaluated))[metric] ?? 0;
    const run = { inputs, plan: prepared.planOf(seed), weights, evaluated, folder, python: options.python };
    ours.push(await kept(join(folder, "zhbert.json"), run, () => trainHere(run)));
    theirs.push(await kept(join(folder, "transformers.json"), run, () => trainThere(run)));
    console.error(
      `${name}, seed ${seed}: ${progressOf(ours.at(-1), metric)}; Transformers ${progressOf(theirs.at(-1), metric)}`,
    );
    console.error(`  the losses of an update differ by at most ${lossDifference(ours.at(-1), theirs.at(-1))}`);
  }
  const facts = { title: prepared.data.title, examples: inputs.train.examples.length, split, metric };
  return { ...facts, untrained, majority: majority(inputs.train, evaluated), ours, theirs };
}

function jobOf(name: string, { folder, maxSeqLength, epochs }: (typeof TASKS)[string] & object, threads: number) {
  const { model = "", data = "" } = options;
  return {
    model,
    data: { name, folder: join(data, folder), maxTrainExamples: Number(options.examples) },
    task: { maxSeqLength },
    choices: {
      epochs: Number(options.epochs ?? epochs),
      batchSize: Number(options.batch),
      learningRate: Number(options.lr),
      warmupShare: 0.1,
      dropout: Number(options.dropout),
      keepLast: true,
      saveSteps: 0,
    },
    runs: 1,
    threads,
  };
}

function firstOf({ examples, encoded }: EncodedExamples, count: number): EncodedExamples {
  const kept = encoded.slice(0, count);
  return { examples: examples.slice(0, count), encoded: kept, rows: kept.flatMap(({ rows }) => rows), truncated: 0 };
}

/** The share of the evaluated examples that have the commonest label of training. */
function majority(train: EncodedExamples, evaluated: EncodedExamples): number {
  const labelsOf = ({ examples }: EncodedExamples) =>
    (examples as readonly { readonly label?: string }[]).map(({ label }) => label);
  const counts = new Map<string | undefined, number>();
  for (const label of labelsOf(train)) counts.set(label, (counts.get(label) ?? 0) + 1);
  const [commonest] = [...counts].sort(([, a], [, b]) => b - a)[0] ?? [];
  if (commonest === undefined) return 0;
  return labelsOf(evaluated).filter((label) => label === commonest).length / evaluated.examples.length;
}

function progressOf(result: SideResult | undefined, metric: string): string {
  return `${percent(result?.scores[metric] ?? 0)} (${result?.seconds.toFixed(0)} s)`;
}

function lossDifference(a: SideResult | undefined, b: SideResult | undefined): string {
  const differences = (a?.losses ?? []).map((loss, i) => Math.abs(loss - (b?.losses[i] ?? Number.NaN)));
  return Math.max(...differences).toExponential(1);
}

const percent = (share: number) => (share * 100).toFixed(1);

/** The mean and the deviation of a sample. */
function momentsOf(scores: readonly number[]): { readonly mean: number; readonly deviation: number } {
  const mean = scores.reduce((sum, score) => sum + score / scores.length, 0);
  const squares = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / Math.max(1, scores.length - 1)) };
}

function rowOf({ title, examples, split, metric, untrained, majority, ours, theirs }: TaskResult): string {
  const [here, there] = [ours, theirs].map((side) => side.map(({ scores }) => scores[metric] ?? 0)) as [
    number[],
    number[],
  ];
  const [a, b] = [momentsOf(here), momentsOf(there)];
  const shown = (scores: readonly number[], { mean, deviation }: typeof a) =>
    `${percent(Math.max(...scores))} (${percent(mean)} ± ${percent(deviation)})`;
  const speed =
    theirs.reduce((sum, { seconds }) => sum + seconds, 0) / ours.reduce((sum, { seconds }) => sum + seconds, 0);
  const cells = [title, examples.toLocaleString("en"), `${split}, ${metric}`, percent(majority), percent(untrained)];
  return `| ${[...cells, shown(here, a), shown(there, b), percent(a.mean - b.mean), speed.toFixed(2)].join(" | ")} |`;
}

const runtime = createOnnxRuntime({ threads: Number(options.threads) });
const results: TaskResult[] = [];
for (const name of options.tasks.split(",")) results.push(await compareTask(name, runtime));
await runtime.dispose();
const table = [
  "| data | examples | measured | majority | untrained | zhbert | Transformers | difference of the means | times as fast |",
  "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
  ...results.map(rowOf),
].join("\n");
writeFileSync(join(options.output, "results.md"), `${table}\n`);
console.log(table);

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
import type { FineTuningInputs } from "../src/node/fine-tuning-run.ts";
import { createOnnxRuntime } from "../src/node/onnxruntime.ts";
import type { Runtime } from "../src/runtime/runtime.ts";
import type { Classification } from "../src/tasks/classify.ts";
import type { QuestionExample, Span, TaggedExample, TextExample } from "../src/tasks/examples.ts";
import { type RunStatistics, statisticsOf } from "../src/tasks/metrics/significance.ts";
import type { Tagging } from "../src/tasks/ner/ner-decode.ts";
import type { QuestionAnswer } from "../src/tasks/qa/qa-answer.ts";
import { countLabels } from "../src/tasks/records/labels.ts";
import type { EncodedExamples } from "../src/tasks/task-batches.ts";
import { inPercent } from "../src/util/percent.ts";
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
    "max-seq-length": { type: "string" },
    "doc-stride": { type: "string" },
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
  /** Of the commonest label of training, the commonest tag of each character, the first sentence of a passage. */
  readonly baseline: number;
  readonly ours: readonly SideResult[];
  readonly theirs: readonly SideResult[];
}

async function compareTask(name: string, runtime: Runtime): Promise<TaskResult> {
  const shape = TASKS[name];
  if (shape === undefined) throw new Error(`--tasks: expected some of ${Object.keys(TASKS).join(", ")}, got ${name}`);
  const prepared = await prepare(jobOf(name, shape), {});
  const inputs: FineTuningInputs = { ...prepared.inputs, runtime };
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
  return { ...facts, untrained, baseline: baseline(inputs, evaluated), ours, theirs };
}

function jobOf(name: string, { folder, maxSeqLength, epochs }: (typeof TASKS)[string] & object) {
  const { model = "", data = "", "doc-stride": docStride } = options;
  return {
    model,
    data: { name, folder: join(data, folder), maxTrainExamples: Number(options.examples) },
    task: {
      maxSeqLength: Number(options["max-seq-length"] ?? maxSeqLength),
      ...(docStride === undefined ? {} : { docStride: Number(docStride) }),
    },
    choices: {
      epochs: Number(options.epochs ?? epochs),
      batchSize: Number(options.batch),
      learningRate: Number(options.lr),
      warmupShare: 0.1,
      dropout: Number(options.dropout),
      keepLast: true,
      saveSteps: 0,
    },
  };
}

function firstOf({ examples, encoded }: EncodedExamples, count: number): EncodedExamples {
  const kept = encoded.slice(0, count);
  return { examples: examples.slice(0, count), encoded: kept, rows: kept.flatMap(({ rows }) => rows), truncated: 0 };
}

/** What predictions are worth that nothing was learned for but counts: by the task's own metrics, in [0, 1]. */
function baseline({ task, train }: FineTuningInputs, { examples }: EncodedExamples): number {
  const predict = BASELINES[task.settings.task];
  if (predict === undefined) return 0;
  const predictOne = predict(train.examples as never);
  const predictions = examples.map((example) => predictOne(example as never));
  return task.evaluate(examples, predictions).metrics[task.primaryMetric] ?? 0;
}

type Baseline = (train: readonly never[]) => (example: never) => unknown;
const BASELINES: Readonly<Record<string, Baseline>> = {
  classify: commonestLabel,
  match: commonestLabel,
  ner: commonestTags,
  qa: () => firstSentence,
};

/** The commonest label of training. */
function commonestLabel(train: readonly TextExample[]) {
  const counts = countLabels(train.flatMap(({ label }) => (label === undefined ? [] : [label])));
  const label = commonestOf(counts);
  return (): Classification => ({ labels: label === undefined ? [] : [{ label, score: 1 }] });
}

/** Of each character the tag that it most often has in training; of one that training lacks, the commonest of all. */
function commonestTags(train: readonly TaggedExample[]) {
  const byUnit = new Map<string, string[]>();
  const all: string[] = [];
  for (const { text, units, tags = [] } of train) {
    tags.forEach((tag, i) => {
      const unit = text.slice(...(units[i] as Span));
      const seen = byUnit.get(unit);
      if (seen === undefined) byUnit.set(unit, [tag]);
      else seen.push(tag);
      all.push(tag);
    });
  }
  const chosen = new Map([...byUnit].map(([unit, tags]) => [unit, commonestOf(countLabels(tags))]));
  const otherwise = commonestOf(countLabels(all)) ?? "O";
  return ({ text, units }: TaggedExample): Tagging => {
    const tags = units.map((unit) => chosen.get(text.slice(...unit)) ?? otherwise);
    return { units, tags, scores: tags.map(() => 1), entities: [] };
  };
}

/** The first sentence of the passage. */
function firstSentence({ id, context }: QuestionExample): QuestionAnswer {
  const answer = /^[^。！？]*/u.exec(context)?.[0] ?? "";
  return { id, answer, start: 0, end: answer.length, score: 1, nBest: [] };
}

function commonestOf(counts: ReadonlyMap<string, number>): string | undefined {
  return [...counts].sort(([, a], [, b]) => b - a)[0]?.[0];
}

function progressOf(result: SideResult | undefined, metric: string): string {
  return `${inPercent(result?.scores[metric] ?? 0)} (${result?.seconds.toFixed(0)} s)`;
}

function lossDifference(a: SideResult | undefined, b: SideResult | undefined): string {
  const differences = (a?.losses ?? []).map((loss, i) => Math.abs(loss - (b?.losses[i] ?? Number.NaN)));
  return Math.max(...differences).toExponential(1);
}

function rowOf({ title, examples, split, metric, untrained, baseline: trivial, ours, theirs }: TaskResult): string {
  const [here, there] = [ours, theirs].map((side) => side.map(({ scores }) => scores[metric] ?? 0)) as [
    number[],
    number[],
  ];
  const [a, b] = [statisticsOf(here), statisticsOf(there)];
  const shown = ({ max, mean, standardDeviation = 0 }: RunStatistics) =>
    `${inPercent(max)} (${inPercent(mean)} ± ${inPercent(standardDeviation)})`;
  const speed =
    theirs.reduce((sum, { seconds }) => sum + seconds, 0) / ours.reduce((sum, { seconds }) => sum + seconds, 0);
  const cells = [title, examples.toLocaleString("en"), `${split}, ${metric}`, inPercent(trivial), inPercent(untrained)];
  return `| ${[...cells, shown(a), shown(b), inPercent(a.mean - b.mean), speed.toFixed(2)].join(" | ")} |`;
}

const runtime = createOnnxRuntime({ threads: Number(options.threads) });
const results: TaskResult[] = [];
for (const name of options.tasks.split(",")) results.push(await compareTask(name, runtime));
await runtime.dispose();
const table = [
  "| data | examples | measured | baseline | untrained | zhbert | Transformers | difference of the means | times as fast |",
  "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
  ...results.map(rowOf),
].join("\n");
writeFileSync(join(options.output, "results.md"), `${table}\n`);
console.log(table);

/** The two sides of compare-finetuning.ts: a run by zhbert, and the same one by Transformers over files. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { lazyTensors } from "../src/checkpoint/format.ts";
import { readSafetensors, writeSafetensors } from "../src/checkpoint/formats/safetensors.ts";
import { matchWeights } from "../src/model/match-weights.ts";
import { writeFileAtomic } from "../src/node/files.ts";
import { type FineTuningPlan, withDropoutOf } from "../src/node/fine-tuning-plan.ts";
import { type FineTuningInputs, runFineTuning, type Scores } from "../src/node/fine-tuning-run.ts";
import { compileTask, evaluationStep, taskEvaluator, taskObjective } from "../src/tasks/fine-tuning.ts";
import type { AnyTask, RowScores } from "../src/tasks/task.ts";
import { lengthOfRow } from "../src/tasks/task-batch.ts";
import { type EncodedExamples, TaskBatches } from "../src/tasks/task-batches.ts";
import { taskConfigJson } from "../src/tasks/task-files.ts";
import { initializeTask, taskParameterShapes } from "../src/tasks/task-graph.ts";
import { Random } from "../src/util/random.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../src/util/tensor.ts";

/** A run that both sides do. */
export interface ComparedRun {
  readonly inputs: FineTuningInputs;
  readonly plan: FineTuningPlan;
  /** All that the model has, the head too. */
  readonly weights: NamedTensors;
  /** What the trained model is measured on. */
  readonly evaluated: EncodedExamples;
  /** Where the sides put their files. */
  readonly folder: string;
  /** The interpreter with Transformers. */
  readonly python: string;
}

/** What a side did. */
export interface SideResult {
  readonly scores: Scores;
  /** From the first batch to the last update. */
  readonly seconds: number;
  /** Of each update. */
  readonly losses: readonly number[];
}

/** The weights that both sides start from; the head's are drawn by the seed. */
export function initialWeights({ task, config, weights, where }: FineTuningInputs, seed: number): NamedTensors {
  const shapes = taskParameterShapes(task, config);
  const { weights: given } = matchWeights(weights, shapes, where);
  const drawn = initializeTask(task, config, Random.derive(seed, HEAD_STREAM), shapes);
  return new Map([...shapes.keys()].map((name) => [name, given.get(name)?.read() ?? (drawn.get(name) as HostTensor)]));
}

const HEAD_STREAM = 1;

/** The scores of a model as it is. */
export async function scoresOf(
  { task, config, runtime }: FineTuningInputs,
  weights: NamedTensors,
  evaluated: EncodedExamples,
): Promise<Scores> {
  const compile = compileTask(runtime, task, config);
  const step = evaluationStep(taskObjective(task, config), compile("all"), weights);
  try {
    return (await taskEvaluator(task, evaluated, EVALUATED_ROWS)(step)).evaluation.metrics;
  } finally {
    await step.dispose();
  }
}

const EVALUATED_ROWS = 32;

/** Trains and measures; nothing is evaluated in between. */
export async function trainHere(run: ComparedRun): Promise<SideResult> {
  const { inputs, plan, weights, evaluated, folder } = run;
  const { dev: _, ...others } = inputs;
  const losses: number[] = [];
  let [began, ended] = [0, 0];
  const { scores } = await runFineTuning(
    {
      ...others,
      weights: lazyTensors(weights),
      tests: { test: evaluated },
      output: join(folder, "zhbert"),
      plan,
      overwrite: true,
      watcher: {
        onStart: () => {
          began = performance.now();
        },
        onStep: (_step, { loss }) => {
          losses.push(loss);
          ended = performance.now();
        },
      },
    },
    false,
  );
  return { scores: scores["test"] ?? {}, seconds: (ended - began) / 1000, losses };
}

/** The same by Transformers; its scores of every row become predictions and metrics as ours do. */
export async function trainThere(run: ComparedRun): Promise<SideResult> {
  const { inputs, evaluated, python } = run;
  const folder = join(run.folder, "transformers");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await writeRun(run, folder);
  const script = fileURLToPath(new URL("./compare-finetuning.py", import.meta.url));
  execFileSync(python, [script, folder], { stdio: ["ignore", "ignore", "pipe"] });
  const { seconds, losses } = JSON.parse(readFileSync(join(folder, "result.json"), "utf8")) as Omit<
    SideResult,
    "scores"
  >;
  const stored = readSafetensors(readFileSync(join(folder, "scores.safetensors")));
  const predictions = decodeAll(inputs.task, evaluated, stored);
  rmSync(folder, { recursive: true, force: true });
  return { scores: inputs.task.evaluate(evaluated.examples, predictions).metrics, seconds, losses };
}

async function writeRun({ inputs, plan, weights, evaluated }: ComparedRun, folder: string): Promise<void> {
  const { task, train, config, runtime } = inputs;
  const { batchSize, settings } = plan;
  const { steps: count, seed, learningRate, warmupSteps, weightDecay, maxGradientNorm } = settings;
  const batches = new TaskBatches(task, train.rows, { batchSize, seed });
  const steps: object[] = [];
  for (let index = 0; index < count; index++) {
    steps.push({ rows: [...batches.rowsOf(index)], width: (await batches.batch(index)).seqLength });
  }
  const course = { seed, learningRate, warmupSteps, weightDecay, maxGradientNorm, threads: runtime.threads };
  const labels = Object.fromEntries(Object.entries(task.labelInputs).map(([name, { axis }]) => [name, axis]));
  writeFileSync(join(folder, "plan.json"), JSON.stringify({ ...course, labels, scores: task.scoreAxes, steps }));
  writeFileSync(join(folder, "config.json"), JSON.stringify(taskConfigJson(task, withDropoutOf(plan, config))));
  await writeFileAtomic(join(folder, "initial.safetensors"), writeSafetensors(weights));
  const rows = new Map([...rowTensors(task, train, "train"), ...rowTensors(task, evaluated, "evaluated")]);
  await writeFileAtomic(join(folder, "rows.safetensors"), writeSafetensors(rows));
}

/** The tokens of all rows one after the other, where each begins, and the labels. */
function rowTensors({ labelInputs, sequencesPerRow }: AnyTask, { rows }: EncodedExamples, split: string): NamedTensors {
  if (sequencesPerRow !== 1) throw new Error("a row of several sequences cannot be compared");
  const flat = (lists: readonly ArrayLike<number>[]) => {
    const data = Int32Array.from(lists.flatMap((list) => Array.from(list)));
    return hostTensor("int32", [data.length], data);
  };
  const offsets = [0];
  for (const row of rows) offsets.push((offsets.at(-1) as number) + lengthOfRow(row));
  const sequences = rows.map((row) => row.sequences[0] as (typeof row.sequences)[0] & object);
  const tensors: NamedTensors = new Map([
    [`${split}.offsets`, flat([offsets])],
    [`${split}.ids`, flat(sequences.map(({ ids }) => ids))],
    [`${split}.type_ids`, flat(sequences.map(({ typeIds }) => typeIds))],
  ]);
  for (const name of Object.keys(labelInputs)) {
    tensors.set(`${split}.${name}`, flat(rows.map(({ labels }) => labels?.[name] ?? [])));
  }
  return tensors;
}

function decodeAll(task: AnyTask, { examples, encoded }: EncodedExamples, stored: NamedTensors): unknown[] {
  const tokens = encoded.reduce((sum, { rows }) => sum + rows.reduce((all, row) => all + lengthOfRow(row), 0), 0);
  const count = encoded.reduce((sum, { rows }) => sum + rows.length, 0);
  const outputs = Object.entries(task.scoreAxes).map(([name, axis]) => {
    const data = stored.get(name)?.data as Float32Array;
    return { name, axis, data, width: data.length / (axis === "row" ? count : tokens), at: 0 };
  });
  return encoded.map((one, i) => {
    const scores = one.rows.map((row): RowScores => {
      const own = outputs.map((output) => {
        const size = output.width * (output.axis === "row" ? 1 : lengthOfRow(row));
        output.at += size;
        return [output.name, output.data.slice(output.at - size, output.at)] as const;
      });
      return Object.fromEntries(own);
    });
    return task.decode(examples[i], one, scores);
  });
}

/** Does what is not done yet; a result belongs to weights, settings and examples. */
export async function kept(path: string, run: ComparedRun, work: () => Promise<SideResult>): Promise<SideResult> {
  const hash = createHash("sha256").update(`${JSON.stringify(run.plan)} ${run.inputs.dataIdentity} `);
  hash.update(`${run.evaluated.examples.length}`);
  for (const [name, { data }] of run.weights) hash.update(name).update(data);
  const key = hash.digest("hex");
  if (existsSync(path)) {
    const { key: stored, ...result } = JSON.parse(readFileSync(path, "utf8")) as SideResult & { readonly key: string };
    if (stored === key) return result;
  }
  const result = await work();
  writeFileSync(path, JSON.stringify({ key, ...result }));
  return result;
}

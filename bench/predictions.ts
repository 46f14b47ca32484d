/** Benchmarks of a fine-tuned model's predictions, from texts to answers or tags, against Transformers on the same weights. */
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Bench, type Facts, type Settings, type Side, Skip, type Work } from "./bench.ts";
import { built } from "./built.ts";
import { benchFolder } from "./corpus.ts";
import { type EngineSettings, engineSettings, outsideEngine, timedRuntime } from "./engine.ts";
import { pythonCommand, sharedPath } from "./peers.ts";
import { prepareTaskModel } from "./task-models.ts";

/** What is predicted, and how both sides see it. */
export interface PredictedTask<Example, Prediction> {
  /** Settings of the task as task.json has them. */
  readonly settings: Parameters<typeof prepareTaskModel>[1];
  /** The first examples. @throws {Skip} when the data are not there. */
  load(count: number): Promise<readonly Example[]>;
  /** An example as bench/python/evaluate.py takes it. */
  plain(example: Example): unknown;
  /** A prediction as that script gives it. */
  shown(prediction: Prediction): unknown;
  /** How many things are predicted by these. */
  count(predictions: readonly Prediction[]): number;
}

/** Random weights of the head are drawn small: scores that are further apart are ranked alike by all engines. */
const HEAD_SCALE = 20;

interface Sizes extends EngineSettings {
  readonly examples: number;
  readonly layers: number;
}

const sizes = (settings: Settings) => settings as unknown as Sizes;

/** Both sides, the settings that they share, and what is compared. */
export function predictionBench<Example, Prediction>(
  summary: string,
  task: PredictedTask<Example, Prediction>,
  examples: number,
): Bench {
  const { task: name, maxSeqLength, windowOverlap } = task.settings;
  const path = (kind: string) => `${benchFolder}evaluate-${name}-${kind}.json`;
  const theirs: Side = {
    name: "torch",
    peer: (settings) => {
      const { layers, threads } = sizes(settings);
      const files = {
        model: `${benchFolder}model-${name}-${layers}`,
        examples: path("examples"),
        expected: path("ours"),
      };
      const rows = {
        "max-length": maxSeqLength,
        ...(windowOverlap === undefined ? {} : { overlap: Number(windowOverlap) }),
      };
      const peers = sharedPath("peers");
      if (peers === undefined) throw new Skip("../shared/peers is not there");
      const script = fileURLToPath(new URL("./python/evaluate.py", import.meta.url));
      return pythonCommand(script, {
        peers,
        task: name,
        ...files,
        ...rows,
        threads,
        warmup: 1,
      });
    },
  };
  return {
    summary,
    settings: {
      examples: [examples, "examples, from the first on"],
      layers: [3, "Transformer layers of 768 columns: 3 is RBT3"],
      ...engineSettings("f32"),
    },
    rounds: 3,
    rate: { amount: "examples", scale: 1, unit: "examples/s" },
    sides: [{ name: "zhbert", prepare: (settings) => prepareOurs(task, settings, path) }, theirs],
    comparisons: [{ ours: "zhbert", theirs: "torch", goal: 1.5 }],
    same: ["examples", "tokens"],
    problem: ({ differ = 0 }) => (differ > 0 ? `${differ} predictions are not zhbert's` : undefined),
    remark: (facts) => {
      const { predictions, differ } = facts;
      const told = predictions === undefined ? `${differ} predictions differ` : `${predictions} predictions`;
      return [...outsideEngine(facts), told].join("; ");
    },
  };
}

async function prepareOurs<Example, Prediction>(
  { settings: taskSettings, load, plain, shown, count }: PredictedTask<Example, Prediction>,
  settings: Settings,
  path: (kind: string) => string,
): Promise<Work> {
  const wanted = sizes(settings);
  const folder = await prepareTaskModel(wanted.layers, taskSettings, HEAD_SCALE);
  const { loadPretrained } = await built("node/index");
  const { taskModel } = await built("tasks/pipeline/pipeline");
  const loaded = await loadPretrained(folder);
  const { runtime, takeSeconds, version } = await timedRuntime(wanted, "inference", loaded.config);
  const model = taskModel(loaded, { runtime, name: folder });
  const examples = await load(wanted.examples);
  const predict = async () => {
    const predictions: Prediction[] = [];
    for await (const prediction of model.predict(examples)) predictions.push(prediction);
    return predictions;
  };
  mkdirSync(benchFolder, { recursive: true });
  writeFileSync(path("examples"), JSON.stringify(examples.map(plain)));
  writeFileSync(path("ours"), JSON.stringify((await predict()).map(shown)));
  const rows = examples.flatMap((example) => model.task.encode(example, model.tokenizer).rows);
  const tokens = rows.reduce((sum, { sequences }) => sum + (sequences[0]?.ids.length ?? 0), 0);
  const run = async (): Promise<Facts> => {
    takeSeconds();
    const predictions = await predict();
    return { predictions: count(predictions), engineSeconds: takeSeconds() };
  };
  return { version, amounts: { examples: examples.length, tokens }, warmUps: 0, run };
}

/** From the start of a program to its first vector: a model of RBT3's size from the disk, in a process of its own each time. */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Bench, Facts, Settings, Work } from "./bench.ts";
import { built } from "./built.ts";
import { checkpointFolder } from "./checkpoints.ts";
import { benchFolder } from "./corpus.ts";
import { runFresh } from "./fresh-process.ts";
import { prepareModel } from "./inference.ts";
import { pythonCommand } from "./peers.ts";

const TEXT = "今天的天气很好，我们去公园散步。";
/** Adds the peak memory of a program's process to what it prints. */
const reporter = fileURLToPath(new URL("./report-memory.mjs", import.meta.url));
const dist = (path: string) => new URL(`../dist/${path}`, import.meta.url);
const modelFolder = (settings: Settings) => prepareModel(Number(settings["layers"]));

/** What a user's own program would be, in plain JavaScript. */
const PROGRAM = `
import { BertModel } from ${JSON.stringify(dist("node/index.js").href)};
const [, folder, text, threads] = process.argv;
const model = await BertModel.fromPretrained(folder, { threads: Number(threads) });
const [vector] = await model.embed([text]);
console.log(JSON.stringify({ vector: [...vector] }));
process.exit();
`;

/** Four digits of a vector's length: the same model, read and computed alike. */
function lengthOf(vector: readonly number[]): number {
  return Number(Math.hypot(...vector).toPrecision(4));
}

interface Told {
  readonly vector: readonly number[];
  readonly peak_rss_mb: number;
}

async function started(args: readonly string[]): Promise<Work> {
  // Nothing is measured where the package is not built.
  await built("node/index");
  const once = async () => {
    const began = performance.now();
    const told = await runFresh(["--import", reporter, ...args]);
    return { seconds: (performance.now() - began) / 1000, ...(told as unknown as Told) };
  };
  const { vector } = await once();
  const run = async (): Promise<Facts> => {
    const { seconds, peak_rss_mb } = await once();
    return { seconds, peak_rss_mb };
  };
  return { version: process.version, amounts: { starts: 1, length: lengthOf(vector) }, warmUps: 1, run };
}

async function library(settings: Settings): Promise<Work> {
  const folder = await modelFolder(settings);
  return started(["--input-type=module", "--eval", PROGRAM, folder, TEXT, String(settings["threads"])]);
}

async function command(settings: Settings): Promise<Work> {
  const folder = await modelFolder(settings);
  const texts = `${benchFolder}start-text.txt`;
  writeFileSync(texts, `${TEXT}\n`);
  const program = fileURLToPath(dist("cli/main.js"));
  return started([
    program,
    "embed",
    folder,
    texts,
    "--runtime",
    "onnxruntime",
    "--threads",
    String(settings["threads"]),
  ]);
}

const script = fileURLToPath(new URL("./python/first-vector.py", import.meta.url));

const bench: Bench = {
  summary: "start of a program to its first vector: import, model from disk, one text; files in the system's cache",
  settings: {
    layers: [3, "Transformer layers of 768 columns: 3 is RBT3's size"],
    threads: [2, "threads of each engine"],
  },
  rounds: 7,
  rate: { amount: "starts", scale: 60, unit: "starts/min" },
  sides: [
    { name: "zhbert", prepare: library },
    { name: "zhbert embed", prepare: command },
    {
      name: "Transformers",
      peer: ({ layers, threads = 2 }) => {
        const model = checkpointFolder(Number(layers), "safetensors");
        return pythonCommand(script, { model, text: TEXT, threads });
      },
    },
  ],
  comparisons: [
    { ours: "zhbert", theirs: "Transformers", goal: 5 },
    { ours: "zhbert embed", theirs: "Transformers", goal: 5 },
  ],
  same: ["length"],
  remark: ({ seconds }) => `${seconds?.toFixed(2)} s to the first vector`,
};
export default bench;

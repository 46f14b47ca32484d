/**
 * How long a training run takes from the start of its program to its first update: resumed from a checkpoint, and begun anew.
 * The command as a user runs it; ended by SIGKILL when the update is logged, so that the next start finds the same checkpoint.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Bench, type Facts, type Settings, Skip, type Work } from "./bench.ts";
import { corpusBytes, vocabularyPath } from "./corpus.ts";
import { highWaterMarkMb } from "./side-process.ts";

const program = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const CORPUS_MB = 1;

function start(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [program, ...args, "--json"], { stdio: ["ignore", "pipe", "inherit"] });
}

function ended(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve) => child.once("close", resolve));
}

/** Starts a run, and ends it when its first update is logged and `isEnough`. */
async function untilFirstUpdate(args: readonly string[], isEnough = () => true): Promise<Facts> {
  const began = performance.now();
  const child = start(["pretrain", ...args, "--logging-steps", "1"]);
  const end = ended(child);
  const isLogged = await Promise.race([
    new Promise<boolean>((resolve) => child.stdout?.once("data", () => resolve(true))),
    end.then(() => false),
  ]);
  if (!isLogged) throw new Error(`zhbert pretrain ${args.join(" ")} ended before its first update`);
  const seconds = (performance.now() - began) / 1000;
  const peak = highWaterMarkMb(child.pid);
  while (!isEnough()) await setTimeout(20);
  child.kill("SIGKILL");
  await end;
  return { seconds, ...(peak === undefined ? {} : { peak_rss_mb: peak }) };
}

interface Prepared {
  readonly folder: string;
  /** Of a run that begins. */
  readonly begin: readonly string[];
}

async function prepared({ batch, threads }: Settings): Promise<Prepared> {
  if (!existsSync(program)) throw new Skip("dist/ is not there: run npm run build");
  const folder = mkdtempSync(join(tmpdir(), "zhbert-bench-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const [corpus, data] = [join(folder, "corpus.txt"), join(folder, "data")];
  writeFileSync(corpus, corpusBytes(CORPUS_MB));
  const making = start(["data", corpus, "-o", data, "--dupe-factor", "1", "--vocab", vocabularyPath()]);
  making.stdout?.resume();
  if ((await ended(making)) !== 0) throw new Error("zhbert data failed");
  const sizes = ["--batch-size", `${batch}`, "--threads", `${threads}`];
  return { folder, begin: [data, "--config", "rbt3", "--steps", "100000", "--eval-every", "0", ...sizes] };
}

async function beginning(settings: Settings): Promise<Work> {
  const { folder, begin } = await prepared(settings);
  const output = join(folder, "out");
  const run = () => untilFirstUpdate([...begin, "--save-steps", "0", "-o", output, "--overwrite"]);
  return { version: "config rbt3", amounts: { starts: 1 }, run };
}

async function resuming(settings: Settings): Promise<Work> {
  const { folder, begin } = await prepared(settings);
  const output = join(folder, "out");
  const isSaved = () => existsSync(join(output, "checkpoint-1"));
  await untilFirstUpdate([...begin, "--save-steps", "1", "-o", output], isSaved);
  const threads = ["--threads", `${settings["threads"]}`];
  const run = () => untilFirstUpdate([output, "--resume", "--save-steps", "0", ...threads]);
  return { version: "config rbt3", amounts: { starts: 1 }, run };
}

const [RESUMED, BEGUN] = ["pretrain --resume", "pretrain, begun anew"];
const bench: Bench = {
  summary: "start of the program to the first update of a training run, 32 sequences of up to 128 tokens unless said",
  settings: {
    batch: [32, "sequences"],
    threads: [2, "threads of the engine"],
  },
  rounds: 5,
  rate: { amount: "starts", scale: 60, unit: "starts/min" },
  sides: [
    { name: RESUMED, prepare: resuming },
    { name: BEGUN, prepare: beginning },
  ],
  comparisons: [{ ours: RESUMED, theirs: BEGUN }],
  same: ["starts"],
  remark: ({ seconds }) => `${seconds?.toFixed(2)} s to the first update`,
};
export default bench;

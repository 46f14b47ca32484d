/**
 * Damaged files of every format: each is read or refused with one of our errors; none crashes, hangs or fills the memory.
 *
 * A case is made from its number alone. To see one again: ZHBERT_FUZZ_SEED=123 npx vitest run test/checkpoint-fuzz.test.ts
 * -t "the sample's name"; ZHBERT_FUZZ_CASES sets how many cases a sample gets.
 */
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, test } from "vitest";
import type { Checkpoint, CheckpointFormat } from "../src/checkpoint/format.ts";
import { checkpointFormats, findCheckpoints } from "../src/checkpoint/formats.ts";
import { type ByteSource, type ModelFiles, memoryFiles } from "../src/checkpoint/source.ts";
import { zipFiles } from "../src/checkpoint/zip-files.ts";
import { ZhbertError } from "../src/errors.ts";
import { Random } from "../src/util/random.ts";
import { damage } from "./checkpoint-mutations.ts";
import { checkpointSamples, type Sample } from "./checkpoint-samples.ts";

const FIRST_SEED = Number(process.env["ZHBERT_FUZZ_SEED"] ?? 0);
const ONLY_ONE = process.env["ZHBERT_FUZZ_SEED"] !== undefined;
/** Of a sample of some hundred bytes; of the reference files, which take longer, a quarter. */
const CASES = ONLY_ONE ? 1 : Number(process.env["ZHBERT_FUZZ_CASES"] ?? 400);
/** A reader may look at each byte some times; one that asks for more than this goes in circles. */
const MAX_BYTES_ASKED = (size: number) => 100 * size + 20_000_000;
const MAX_SLICES = 200_000;
/** The largest thing that is unpacked before its ratio is looked at, twice, and what the engine has not yet freed. */
const MAX_GROWTH_BYTES = 300_000_000;
/** A case takes milliseconds; longer than this it will never end. */
const HANG_MS = 30_000;
const TIMEOUT_MS = 60_000 + 200 * CASES;

const samples = await checkpointSamples();

/** Number of the case, seed and sample, for the watchdog. */
const beat = new Int32Array(new SharedArrayBuffer(12));
const watchdog = startWatchdog();
afterAll(() => watchdog.terminate());

/** A thread that ends the process when a case hangs, saying which: nothing else can once the reader holds the main thread. */
function startWatchdog(): Worker {
  const code = `
    const { workerData } = require("node:worker_threads");
    let [last, since] = [0, Date.now()];
    setInterval(() => {
      const [number, seed, sample] = workerData.beat;
      if (number !== last || number === 0) [last, since] = [number, Date.now()];
      else if (Date.now() - since > workerData.limit) {
        require("node:fs").writeSync(2, "hang: " + workerData.titles[sample] + ": ZHBERT_FUZZ_SEED=" + seed + "\\n");
        process.kill(process.pid, "SIGKILL");
      }
    }, 500);`;
  const titles = samples.map(({ title }) => title);
  const worker = new Worker(code, { eval: true, workerData: { beat, titles, limit: HANG_MS } });
  worker.unref();
  return worker;
}

/** Files that count what is asked of them, and refuse when it is out of all proportion. */
function watched(files: ModelFiles, size: number, opened: Set<string>): ModelFiles {
  let [bytes, slices] = [0, 0];
  const watch = (source: ByteSource): ByteSource => ({
    name: source.name,
    size: source.size,
    slice(begin, end) {
      slices++;
      bytes += end - begin > 0 ? Math.min(end - begin, source.size) : 0;
      if (slices > MAX_SLICES || bytes > MAX_BYTES_ASKED(size)) throw new Error(`${slices} reads of ${bytes} bytes`);
      return source.slice(begin, end);
    },
  });
  return {
    ...files,
    async open(path) {
      opened.add(path);
      return watch(await files.open(path));
    },
  };
}

/** Opens a checkpoint, or a download and the checkpoints in it, and reads every tensor. */
async function readAll(sample: Sample, files: ReadonlyMap<string, Uint8Array>, opened: Set<string>): Promise<number> {
  const size = [...files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
  const watchedFiles = watched(memoryFiles("model", files), size, opened);
  if (sample.format !== "zip") return readCheckpoint(formatNamed(sample.format), watchedFiles, sample.path);
  const inside = zipFiles(await watchedFiles.open(sample.path));
  let count = 0;
  for (const { format, path } of findCheckpoints(inside.paths)) count += await readCheckpoint(format, inside, path);
  return count;
}

function formatNamed(name: string): CheckpointFormat {
  return checkpointFormats.find((format) => format.name === name) as CheckpointFormat;
}

/** The number of tensors that could be read. */
async function readCheckpoint(format: CheckpointFormat, files: ModelFiles, path: string): Promise<number> {
  await refusedOr(async () => format.findDangers?.(files, path));
  const checkpoint: Checkpoint | undefined = await refusedOr(() => format.open(files, path));
  let count = 0;
  for (const tensor of checkpoint?.tensors.values() ?? []) {
    const read = await refusedOr(async () => tensor.read());
    if (read !== undefined) count++;
  }
  return count;
}

/** What is made, or undefined when it is refused as it should be. */
async function refusedOr<T>(make: () => Promise<T>): Promise<T | undefined> {
  try {
    return await make();
  } catch (error) {
    if (error instanceof ZhbertError) return undefined;
    throw error;
  }
}

async function damaged(sample: Sample, targets: readonly string[], random: Random): Promise<Map<string, Uint8Array>> {
  const files = new Map(sample.files);
  const isFirst = random.uniform() < 0.7;
  const target = isFirst ? sample.path : (targets[Math.floor(random.uniform() * targets.length)] as string);
  files.set(target, await damage(sample.files.get(target) as Uint8Array, random));
  return files;
}

/** What is held by JavaScript, and by the process: HDF5's library has a memory of its own. */
function memory(): [held: number, resident: number] {
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return [heapUsed + arrayBuffers, rss];
}

async function runCase(sample: Sample, targets: readonly string[], seed: number): Promise<number> {
  const files = await damaged(sample, targets, Random.derive(seed, ...new TextEncoder().encode(sample.title)));
  beat.set([seed, samples.indexOf(sample)], 1);
  Atomics.add(beat, 0, 1);
  const [heldBefore, residentBefore] = memory();
  try {
    const count = await refusedOr(() => readAll(sample, files, new Set()));
    const [held, resident] = memory();
    const growth = Math.max(held - heldBefore, resident - residentBefore);
    if (growth > MAX_GROWTH_BYTES) throw new Error(`the memory grew by ${growth} bytes`);
    return count ?? 0;
  } catch (cause) {
    throw new Error(`ZHBERT_FUZZ_SEED=${seed}, "${sample.title}": ${(cause as Error)?.message ?? cause}`, { cause });
  }
}

test("there is a sample of every format", () => {
  const known = new Set(samples.map(({ format }) => format));
  expect(checkpointFormats.filter(({ name }) => !known.has(name))).toEqual([]);
});

describe("damaged files are read or refused", () => {
  test.each(samples)("$title", { timeout: TIMEOUT_MS }, async (sample) => {
    const opened = new Set<string>();
    const sound = await readAll(sample, sample.files, opened);
    expect(sound).toBeGreaterThan(0);
    const targets = [...opened].filter((path) => sample.files.has(path));
    const size = Math.max(...[...sample.files.values()].map(({ length }) => length));
    const cases = size > 20_000 ? Math.ceil(CASES / 4) : CASES;
    let harmed = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + cases; seed++) {
      if ((await runCase(sample, targets, seed)) < sound) harmed++;
    }
    // The damage must be done: most cases lose a tensor, where the format has checksums or its files are mostly tables.
    if (!ONLY_ONE) expect(harmed).toBeGreaterThan(cases / 10);
    Atomics.store(beat, 0, 0);
  });
});

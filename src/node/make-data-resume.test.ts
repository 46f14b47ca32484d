/** Training data made by several threads, stopped at any moment, and gone on with: always the same bytes. */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { smallDataOptions } from "../../test/small-data.ts";
import { CorpusError, FileError, InterruptedError, RuntimeError } from "../errors.ts";
import intlSegmenter from "../text/segmenters/intl.ts";
import { Random } from "../util/random.ts";
import { openDataset } from "./dataset.ts";
import { type MakeDataOptions, makeData } from "./make-data.ts";
import { loadTokenizer } from "./vocabulary-file.ts";

const WORDS = [
  "山路",
  "水边",
  "渔船",
  "灯火",
  "老人",
  "孩子",
  "清晨",
  "慢慢",
  "走过",
  "看见",
  "说起",
  "忘记",
  "下雨",
  "回家",
];

/** Documents of made-up sentences. */
function text(documents: number, seed = 1): string {
  const random = new Random(seed);
  const word = () => WORDS[random.integer(WORDS.length)] as string;
  const sentence = () => `${Array.from({ length: 3 + random.integer(9) }, word).join("")}。`;
  const paragraph = () => Array.from({ length: 1 + random.integer(4) }, sentence).join("");
  const document = () => Array.from({ length: 1 + random.integer(5) }, paragraph).join("\n");
  return `${Array.from({ length: documents }, document).join("\n\n")}\n`;
}

let folder: string;
let corpus: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-resume-"));
  corpus = join(folder, "corpus.txt");
  writeFileSync(corpus, text(150));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function make(output: string, options: Partial<MakeDataOptions> = {}) {
  return makeData({ ...(await smallDataOptions(corpus, output)), ...options });
}

const filesOf = (path: string) =>
  Object.fromEntries(readdirSync(path).map((file) => [file, readFileSync(join(path, file), "hex")]));

/** Stops a run after some blocks. */
async function interrupt(output: string, options: Partial<MakeDataOptions> = {}, blocks = 5) {
  const controller = new AbortController();
  let done = 0;
  const onProgress = () => {
    if (++done === blocks) controller.abort();
  };
  return make(output, { ...options, signal: controller.signal, onProgress }).catch((error: unknown) => error);
}

describe("worker threads", () => {
  test("write the same bytes, however many they are", async () => {
    const reports = [];
    for (const workers of [1, 2, 3]) {
      const { workers: used, ...report } = await make(join(folder, `${workers}`), { workers });
      expect(used).toBe(workers);
      reports.push(report);
    }
    const [one, two, three] = ["1", "2", "3"].map((name) => filesOf(join(folder, name)));
    expect(Object.keys(one as object).length).toBeGreaterThan(4);
    expect(two).toEqual(one);
    expect(three).toEqual(one);
    expect(reports[1]).toEqual(reports[0]);
    expect(reports[2]).toEqual(reports[0]);
  });

  test("remove the same duplicates, though these depend on all text before; also when the work was stopped", async () => {
    const lines = text(150).split("\n");
    writeFileSync(corpus, lines.map((line, i) => (i % 3 === 2 ? `${lines[i - 2]}${i}` : line)).join("\n"));
    const filters = { dropDuplicates: true, clean: true };
    const one = await make(join(folder, "one"), { filters });
    expect(one.filtered.removedDuplicates).toBeGreaterThan(20);
    expect(one.duplicateErrorRate).toBeGreaterThan(0);
    await interrupt(join(folder, "two"), { filters });
    const two = await make(join(folder, "two"), { filters, workers: 2 });
    expect(two).toEqual({ ...one, workers: 2 });
    expect(filesOf(join(folder, "two"))).toEqual(filesOf(join(folder, "one")));
    const { description, close } = await openDataset(join(folder, "one"));
    expect(description.statistics).toMatchObject({ ...one.filtered });
    await close();
  });

  test("tell what is wrong with the text, as one thread does", async () => {
    writeFileSync(corpus, Buffer.concat([Buffer.from(text(50)), Buffer.from([0xff]), Buffer.from("好\n")]));
    const errors: unknown[] = [];
    for (const workers of [1, 2]) errors[workers - 1] = await make(join(folder, "out"), { workers }).catch((e) => e);
    expect(errors[0]).toBeInstanceOf(CorpusError);
    expect(errors[1]).toBeInstanceOf(CorpusError);
    expect((errors[1] as Error).message).toBe((errors[0] as Error).message);
    expect((errors[1] as CorpusError).hint).toBe((errors[0] as CorpusError).hint);
    expect((errors[0] as Error).message).toContain(
      `byte ${Buffer.byteLength(text(50))}: expected text in UTF-8, got byte 0xff`,
    );
  });

  test("that fail are an error with its cause", async () => {
    const settings = { segmenter: { name: "no-such" } };
    const failed = make(join(folder, "out"), { ...settings, workers: 2 });
    await expect(failed).rejects.toThrow("segmenter: expected one of jieba, intl");
    expect(existsSync(join(folder, "out"))).toBe(false);
    // Not cloneable as a message would have to be: an error that is none of ours.
    const tokenizer = await loadTokenizer();
    const broken = {
      tokenizer: Object.assign(Object.create(tokenizer), { options: { ...tokenizer.options, addedTokens: 1 } }),
    };
    const died = make(join(folder, "out"), { ...broken, format: "jsonl", heldOut: 0, workers: 2 });
    await expect(died).rejects.toThrow(RuntimeError);
    await expect(died).rejects.toMatchObject({ cause: { message: expect.stringContaining("iterable") } });
  });

  test("cannot be given a segmenter of one's own", async () => {
    const failed = make(join(folder, "out"), { segmenter: intlSegmenter(), workers: 2 });
    await expect(failed).rejects.toThrow("workers: expected 1, got 2");
  });
});

describe("data that were stopped", () => {
  test("by Ctrl-C are gone on with, and end as if they had not been", async () => {
    await make(join(folder, "whole"));
    const out = join(folder, "data");
    for (const workers of [1, 2]) {
      const error = await interrupt(out, { workers });
      expect(error).toBeInstanceOf(InterruptedError);
      expect((error as InterruptedError).hint).toMatch(
        /\d+ finished blocks of text are kept .* the same command goes on/,
      );
      expect(readdirSync(out)).toEqual([".zhbert-work"]);
    }
    let instancesAnew = 0;
    const report = await make(out, {
      onProgress: (_bytes, made) => {
        instancesAnew ||= made;
      },
    });
    expect(instancesAnew).toBeLessThan(report.instances);
    expect(filesOf(out)).toEqual(filesOf(join(folder, "whole")));
  });

  test("by SIGKILL at any moment are gone on with, and end as if they had not been", () => {
    const child = fileURLToPath(new URL("../../test/make-data-child.ts", import.meta.url));
    const run = (output: string, workers: number, killAfterMs: number) =>
      spawnSync(process.execPath, ["--import", "tsx", child, corpus, output, `${workers}`, `${killAfterMs}`], {
        encoding: "utf8",
      });
    const whole = run(join(folder, "whole"), 1, 1e6);
    const duration = Number(whole.stdout);
    expect(whole.stderr).toBe("");
    expect(duration).toBeGreaterThan(0);
    const random = new Random(Date.now() % 1e9);
    const out = join(folder, "data");
    let killed = 0;
    for (let i = 0; i < 8; i++) {
      const { signal } = run(out, 1 + (i % 2), (0.1 + 0.5 * random.uniform()) * duration);
      if (signal === "SIGKILL") killed += 1;
      if (existsSync(join(out, "dataset.json"))) break;
    }
    expect(killed).toBeGreaterThan(0);
    expect(run(out, 2, 1e6).stderr).toBe("");
    expect(filesOf(out)).toEqual(filesOf(join(folder, "whole")));
  });

  test("go on with the text that has not changed, and read anew what has", async () => {
    const out = join(folder, "data");
    await interrupt(out, {}, 8);
    const longer = `${text(150)}\n${text(20, 2)}`.replace("山路", "山顶");
    writeFileSync(corpus, longer);
    await make(out);
    await make(join(folder, "whole"));
    expect(filesOf(out)).toEqual(filesOf(join(folder, "whole")));
  });

  test("while shards were written go on behind them", async () => {
    await make(join(folder, "whole"));
    const out = join(folder, "data");
    const controller = new AbortController();
    const work = join(out, ".zhbert-work");
    const seen: number[] = [];
    // The first shards are on the disk when the file of the third is opened.
    const stopping = {
      get aborted() {
        const lines = existsSync(join(work, "shards.jsonl"))
          ? readFileSync(join(work, "shards.jsonl"), "utf8").split("\n").length
          : 0;
        seen.push(lines);
        if (lines > 4) controller.abort();
        return controller.signal.aborted;
      },
    };
    const signal = new Proxy(controller.signal, {
      get: (target, name) => {
        if (name === "throwIfAborted")
          return () => {
            if (stopping.aborted) throw controller.signal.reason;
          };
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await make(out, { signal }).catch(() => undefined);
    expect(Math.max(...seen)).toBeGreaterThan(4);
    await make(out);
    expect(filesOf(out)).toEqual(filesOf(join(folder, "whole")));
  });

  test("by another command are refused, unless they are to be removed", async () => {
    const out = join(folder, "data");
    await interrupt(out);
    const other = make(out, { dupeFactor: 3 });
    await expect(other).rejects.toThrow(FileError);
    await expect(other).rejects.toThrow("got those of another (dupeFactor: 2, not 3)");
    await expect(other).rejects.toMatchObject({ hint: expect.stringContaining("--overwrite") });
    await make(out, { dupeFactor: 3, overwrite: true });
    await make(join(folder, "whole"), { dupeFactor: 3 });
    expect(filesOf(out)).toEqual(filesOf(join(folder, "whole")));
  });

  test("and whose runs were damaged make these anew", async () => {
    const out = join(folder, "data");
    await interrupt(out);
    const runs = join(out, ".zhbert-work", "runs-000");
    for (const [i, name] of readdirSync(runs).entries()) {
      const bytes = readFileSync(join(runs, name));
      writeFileSync(join(runs, name), i % 2 === 0 ? bytes.subarray(0, bytes.length - 9) : bytes.fill(7, 300, 310));
    }
    await make(out);
    await make(join(folder, "whole"));
    expect(filesOf(out)).toEqual(filesOf(join(folder, "whole")));
  });

  test("leave nothing when it could not be gone on with: words that are counted by line", async () => {
    const referenceFile = join(folder, "references.txt");
    writeFileSync(referenceFile, "[]\n".repeat(2000));
    const segmenter = { name: "reference", referenceFile };
    const out = join(folder, "data");
    const options = { segmenter, splitsSentences: false, heldOut: 0 };
    expect(await interrupt(out, options)).toMatchObject({ hint: expect.stringContaining("nothing was written") });
    expect(existsSync(out)).toBe(false);
    expect((await make(out, options)).instances).toBeGreaterThan(0);
  });

  test("leave nothing when no block was finished", async () => {
    const out = join(folder, "data");
    expect(await make(out, { signal: AbortSignal.abort() }).catch((error: unknown) => error)).toMatchObject({
      hint: expect.stringContaining("nothing was written"),
    });
    expect(existsSync(out)).toBe(false);
  });
});

describe("two runs on one folder", () => {
  test("are refused while the first one works", async () => {
    const out = join(folder, "data");
    let second: Promise<unknown> | undefined;
    await make(out, {
      onProgress: () => {
        second ??= make(out).catch((error: unknown) => error);
      },
    });
    expect(String(await second)).toContain(`expected no other run that writes here, got process ${process.pid}`);
    expect((await openDataset(out)).train.count).toBeGreaterThan(0);
  });

  test("are refused while another process holds the lock, and not when it is gone", async () => {
    const out = join(folder, "data");
    mkdirSync(join(out, ".zhbert-work"), { recursive: true });
    const lock = join(out, ".zhbert-work", "lock");
    const other = spawn(process.execPath, ["-e", "setTimeout(() => {}, 60000)"]);
    writeFileSync(lock, JSON.stringify({ host: hostname(), pid: other.pid, since: "2020" }));
    await expect(make(out)).rejects.toThrow(`got process ${other.pid} on`);
    const gone = new Promise((resolve) => other.once("exit", resolve));
    other.kill("SIGKILL");
    await gone;
    await make(out);
    writeFileSync(join(folder, "x"), "");
    mkdirSync(join(out, ".zhbert-work"), { recursive: true });
    writeFileSync(lock, JSON.stringify({ host: "elsewhere", pid: 1, since: "2020" }));
    await expect(make(out)).rejects.toMatchObject({ hint: expect.stringContaining("remove this file") });
  });
});

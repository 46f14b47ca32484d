/** What `makeData` leaves behind when a worker dies or the disk is full: a clear error, and work that can be gone on with. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { smallDataOptions } from "../../test/small-data.ts";
import { FileError, RuntimeError } from "../errors.ts";
import { openDataset } from "./dataset.ts";
import { type MakeDataOptions, makeData } from "./make-data.ts";

/** What goes wrong: the thread that gets this block is ended; bytes that the disk still takes. */
const faults = vi.hoisted(() => ({ dyingBlock: -1, room: Number.POSITIVE_INFINITY }));

vi.mock("node:worker_threads", async (original) => {
  const actual = await original<typeof import("node:worker_threads")>();
  class Worker extends actual.Worker {
    override postMessage(...args: Parameters<InstanceType<typeof actual.Worker>["postMessage"]>): void {
      if ((args[0] as { block: { number: number } }).block.number !== faults.dyingBlock) super.postMessage(...args);
      else void this.terminate();
    }
  }
  return { ...actual, Worker };
});

vi.mock("node:fs/promises", async (original) => {
  const actual = await original<typeof import("node:fs/promises")>();
  const take = (bytes: number): number => {
    if (faults.room <= 0) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    const taken = Math.min(bytes, faults.room);
    faults.room -= taken;
    return taken;
  };
  const open: typeof actual.open = async (...args) => {
    const handle = await actual.open(...args);
    const write = handle.write.bind(handle) as (...rest: unknown[]) => ReturnType<typeof handle.write>;
    // As the system does: a nearly full disk takes a part of what it is given, a full one nothing.
    const writeSome = async (bytes: Uint8Array, from: number, length: number, position: number | null) =>
      write(bytes, from, take(length), position);
    return Object.assign(handle, { write: writeSome as unknown as typeof handle.write });
  };
  const appendFile: typeof actual.appendFile = async (path, data, options) => {
    take(String(data).length);
    await actual.appendFile(path, data, options);
  };
  return { ...actual, open, appendFile };
});

let folder: string;
let corpus: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-failures-"));
  corpus = join(folder, "corpus.txt");
  const place = ["河边", "山上", "桥下", "门前", "田里"];
  const lines = (i: number) => [
    `第${i}只鸟停在${place[i % 5]}。它唱了${i % 7}遍歌。`,
    `风从${place[(i + 2) % 5]}吹来。`,
  ];
  writeFileSync(corpus, `${Array.from({ length: 240 }, (_, i) => lines(i).join("\n")).join("\n\n")}\n`);
});
afterEach(() => {
  Object.assign(faults, { dyingBlock: -1, room: Number.POSITIVE_INFINITY });
  rmSync(folder, { recursive: true, force: true });
});

async function make(output: string, options: Partial<MakeDataOptions> = {}) {
  return makeData({
    ...(await smallDataOptions(corpus, output)),
    randomSeed: 5,
    blockBytes: 2000,
    shardBytes: 8000,
    ...options,
  });
}

const filesOf = (path: string) =>
  Object.fromEntries(
    readdirSync(path)
      .filter((name) => !name.startsWith("."))
      .map((name) => [name, readFileSync(join(path, name), "hex")]),
  );

describe("a worker that dies", () => {
  test("is an error that says so; the same command goes on, with threads or without", async () => {
    await make(join(folder, "whole"));
    const out = join(folder, "data");
    for (const workers of [2, 1]) {
      faults.dyingBlock = 6;
      const error = await make(out, { workers: 2 }).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(RuntimeError);
      expect((error as RuntimeError).message).toMatch(/^data: worker: .* got its end with status 1/);
      expect((error as RuntimeError).hint).toContain("the same command goes on from there; --workers 1");
      expect(readdirSync(out)).toEqual([".zhbert-work"]);
      faults.dyingBlock = -1;
      await make(out, { workers });
      expect(filesOf(out)).toEqual(filesOf(join(folder, "whole")));
      rmSync(out, { recursive: true });
    }
  });

  test("leaves earlier data as they are", async () => {
    const out = join(folder, "data");
    await make(out, { dupeFactor: 1 });
    const before = filesOf(out);
    faults.dyingBlock = 5;
    await expect(make(out, { workers: 2 })).rejects.toThrow(RuntimeError);
    expect(filesOf(out)).toEqual(before);
  });
});

describe("a full disk", () => {
  test("at any moment is an error that says so, keeps earlier data, and is gone on from", async () => {
    const [out, whole] = [join(folder, "data"), join(folder, "whole")];
    await make(out, { dupeFactor: 1 });
    const before = filesOf(out);
    faults.room = 1e9;
    await make(whole);
    const needed = 1e9 - faults.room;
    for (let i = 0; i < 24; i++) {
      faults.room = Math.floor((needed * i) / 24);
      const error = await make(out).catch((caught: unknown) => caught);
      if (!(error instanceof FileError)) {
        // What was finished needs no room again, so that the last rounds may end.
        expect(error).not.toBeInstanceOf(Error);
        expect(i).toBeGreaterThan(3);
        break;
      }
      expect(error.message).toContain("a full disk");
      // The folder is what it was: the earlier data, and the new ones' shards beside them at most.
      expect(filesOf(out)).toMatchObject(before);
      const { train, close } = await openDataset(out);
      for (let k = 0; k < train.count; k++) await train.instance(k);
      await close();
    }
    faults.room = Number.POSITIVE_INFINITY;
    await make(out);
    expect(filesOf(out)).toEqual(filesOf(whole));
  });

  test.each(["jsonl", "tfrecord"] as const)("leaves no half of a %s file", async (format) => {
    const out = join(folder, `data.${format}`);
    const options = { format, heldOut: 0 };
    await make(out, options);
    const before = readFileSync(out, "hex");
    for (const room of [0, 3000, 60_000, 200_000]) {
      faults.room = room;
      await expect(make(out, { ...options, dupeFactor: 3 })).rejects.toThrow(/got a full disk/);
      expect(readFileSync(out, "hex")).toBe(before);
    }
    expect(readdirSync(folder).filter((name) => /\.tmp|\.zhbert-(?!work)/.test(name))).toEqual([]);
  });
});

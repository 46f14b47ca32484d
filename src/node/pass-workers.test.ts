/** Threads that share passes: the same bits as one thread, in the memory of the caller's arrays; how they end. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { afterEach, describe, expect, test, vi } from "vitest";
import { RuntimeError } from "../errors.ts";
import { AdamW } from "../train/adamw.ts";
import { accumulate, globalNorm } from "../train/clipping.ts";
import { DropoutMasks } from "../train/dropout-masks.ts";
import { Lamb } from "../train/lamb.ts";
import { MovingAverage } from "../train/moving-average.ts";
import { type PassRunner, serialPasses } from "../train/pass-runner.ts";
import type { PassTask } from "../train/passes.ts";
import { Random } from "../util/random.ts";
import { type HostTensor, hostTensor, type NamedTensors, tensorBytes } from "../util/tensor.ts";
import { loadKoffi } from "./koffi.ts";
import type { PassJob } from "./pass-worker.ts";
import { PassWorkers } from "./pass-workers.ts";
import { startThread } from "./threads.ts";

/** More than one block of elements, less than one, exactly one, and none. */
const LENGTHS = { "a.weight": 300_001, "a.bias": 7, "b.weight": 65_536, empty: 0 };

function arrays(seed: number): Map<string, Float32Array> {
  const random = new Random(seed);
  const numbers = (length: number) => Float32Array.from({ length }, () => random.uint32() / 2 ** 31 - 1);
  return new Map(Object.entries(LENGTHS).map(([name, length]) => [name, numbers(length)]));
}

function tensors(seed: number): NamedTensors {
  return new Map([...arrays(seed)].map(([name, data]) => [name, hostTensor("float32", [data.length], data)]));
}

const open: PassWorkers[] = [];

function workers(threads: number): PassWorkers {
  const passes = new PassWorkers(threads);
  open.push(passes);
  return passes;
}

afterEach(async () => {
  for (const passes of open.splice(0)) await passes.close();
  vi.restoreAllMocks();
});

/** Two updates with everything that goes over all parameters. */
async function train(name: "adamw" | "lamb", passes: PassRunner) {
  const [weights, sums] = [tensors(1), arrays(2)];
  const optimizer = name === "lamb" ? new Lamb(weights, { passes }) : new AdamW(weights, { name, passes });
  const follower = new MovingAverage(weights, 0.9, passes);
  const norms: number[] = [];
  for (const seed of [3, 4]) {
    await accumulate(sums, arrays(seed), passes);
    norms.push(await globalNorm(sums, passes));
    await optimizer.update(sums, 0.01, 0.5);
    await follower.update();
  }
  return { norms, ...digests({ weights, average: follower.average, state: optimizer.state() }) };
}

/** By group, a digest of the bytes of each tensor. */
function digests(groups: Readonly<Record<string, NamedTensors>>) {
  const digest = (tensor: HostTensor) => createHash("sha256").update(tensorBytes(tensor)).digest("hex");
  const ofGroup = (tensors: NamedTensors) => [...tensors].map(([name, tensor]) => `${name} ${digest(tensor)}`);
  return Object.fromEntries(Object.entries(groups).map(([name, group]) => [name, ofGroup(group)]));
}

describe.each(["adamw", "lamb"] as const)("%s", (name) => {
  test.each([1, 2, 3])("%i threads give the bits of one", async (threads) => {
    expect(await train(name, workers(threads))).toEqual(await train(name, serialPasses));
  });
});

test("a thread that has all of a pass to itself gives the bits of this one, in this one's arrays", async () => {
  const factors = { beta1: 0.9, beta2: 0.999, scale: 0.5, rate: 0.01, epsilon: 1e-8, decay: 0.001 };
  const parts = () => [arrays(1), arrays(2), arrays(3), arrays(4)].map((part) => part.get("a.weight") as Float32Array);
  const [own, other] = [parts(), parts()] as unknown as PassTask<"adamw">["arrays"][];
  for (const [, , , second] of [own!, other!]) second.fill(0.5);
  await serialPasses.run("adamw", [{ arrays: own!, factors }]);
  const added = other!.map((array, id) => ({
    id,
    type: "float32" as const,
    address: loadKoffi().address(array),
    length: array.length,
  }));
  const thread = startThread("pass-worker", {});
  const tasks = [{ ids: [0, 1, 2, 3], factors }];
  const next = new Int32Array(new SharedArrayBuffer(4));
  thread.postMessage({ added, name: "adamw", tasks, next, sums: new Float64Array(10) } satisfies PassJob);
  await once(thread, "message");
  await thread.terminate();
  expect(other!.map((array, i) => Buffer.compare(Buffer.from(array.buffer), Buffer.from(own![i]!.buffer)))).toEqual([
    0, 0, 0, 0,
  ]);
});

describe("dropout masks", () => {
  /** More than one length, and one that is no multiple of the vectors they are drawn with. */
  const sites = (batch: number) => [
    { name: "dropout.embeddings", shape: [batch, 1001], rate: 0.1 },
    { name: "dropout.attention", shape: [batch, 4, 50, 50], rate: 0.1 },
    { name: "dropout.hidden", shape: [batch, 9000], rate: 0.3 },
    { name: "dropout.pooled", shape: [batch, 3], rate: 0.5 },
  ];

  /** Steps whose memory grows, and takes shorter masks afterwards. */
  async function drawn(passes: PassRunner) {
    const masks = new DropoutMasks(5, passes);
    const steps: unknown[] = [];
    for (const [index, batch] of [60, 90, 60, 90].entries()) {
      steps.push(digests({ masks: new Map(Object.entries(await masks.draw(sites(batch), index, 0))) }));
    }
    return steps;
  }

  test.each([1, 2, 3])("%i threads draw the bits of one", async (threads) => {
    const posted = vi.spyOn(Worker.prototype, "postMessage");
    expect(await drawn(workers(threads))).toEqual(await drawn(serialPasses));
    expect(posted).toHaveBeenCalledTimes(4 * (threads - 1));
  });

  test("a thread that has all masks to itself draws them", async () => {
    const [own, other] = [new Uint8Array(100_003), new Uint8Array(100_003)];
    const factors = { rate: 0.1, seed: 1, step: 2, site: 3 };
    await serialPasses.run("keepMask", [{ arrays: [own], factors }]);
    const thread = startThread("pass-worker", {});
    const added = [{ id: 1, type: "uint8" as const, address: loadKoffi().address(other), length: other.length }];
    const next = new Int32Array(new SharedArrayBuffer(4));
    const tasks = [{ ids: [1], factors }];
    thread.postMessage({ added, name: "keepMask", tasks, next, sums: new Float64Array(2) } satisfies PassJob);
    await once(thread, "message");
    await thread.terminate();
    expect(Buffer.compare(own, other)).toBe(0);
  });

  test("what fails in this thread is its own error, whatever the others say", async () => {
    const masks = new DropoutMasks(5, workers(2));
    const impossible = [1, 2, 3].map((site) => ({ name: `dropout.${site}`, shape: [2 ** 20], rate: 1 }));
    await expect(masks.draw(impossible, 0, 0)).rejects.toThrow("dropout: rate: expected a number in [0, 1), got 1");
  });

  test("a thread that ends meanwhile is a clear error", async () => {
    const passes = workers(2);
    const masks = new DropoutMasks(5, passes);
    await masks.draw(sites(90), 0, 0);
    vi.spyOn(Worker.prototype, "postMessage").mockImplementation(function (this: Worker) {
      void this.terminate();
    });
    const broken = masks.draw(sites(90), 1, 0);
    await expect(broken).rejects.toThrow(RuntimeError);
    await expect(broken).rejects.toThrow("training: worker thread: expected its part of a step, got its end");
  });
});

test("the norm is that of all elements", async () => {
  const gradients = arrays(5);
  let squares = 0;
  for (const array of gradients.values()) for (const value of array) squares += value * value;
  expect(await globalNorm(gradients, workers(2))).toBeCloseTo(Math.sqrt(squares), 9);
});

test("a part of a larger array is changed, and nothing beside it", async () => {
  const all = new Float32Array(400_000).fill(1);
  const sums = new Map([["w", all.subarray(10, 399_990)]]);
  await accumulate(sums, new Map([["w", new Float32Array(399_980).fill(2)]]), workers(2));
  const changed = all.map((value, i) => Number(value === (i < 10 || i >= 399_990 ? 1 : 3)));
  expect(changed.indexOf(0)).toBe(-1);
});

describe("the threads", () => {
  test("one thread, and passes over little, start none", async () => {
    const spawned = vi.spyOn(Worker.prototype, "postMessage");
    await globalNorm(arrays(1), workers(1));
    await globalNorm(new Map([["w", new Float32Array(1000)]]), workers(4));
    expect(spawned).not.toHaveBeenCalled();
  });

  test("one that ends is a clear error, now and later", async () => {
    const passes = workers(2);
    await globalNorm(arrays(1), passes);
    const posted = vi.spyOn(Worker.prototype, "postMessage").mockImplementation(function (this: Worker) {
      void this.terminate();
    });
    const broken = globalNorm(arrays(1), passes);
    await expect(broken).rejects.toThrow(RuntimeError);
    await expect(broken).rejects.toThrow("training: worker thread: expected its part of a step, got its end");
    posted.mockRestore();
    await expect(globalNorm(arrays(1), passes)).rejects.toThrow(RuntimeError);
  });

  test("what a thread throws is told", async () => {
    const { postMessage } = Worker.prototype;
    vi.spyOn(Worker.prototype, "postMessage").mockImplementation(function (this: Worker, job) {
      postMessage.call(this, { ...job, tasks: [{ ids: [-1], factors: {} }] });
    });
    await expect(globalNorm(arrays(1), workers(2))).rejects.toThrow(/got its end: .*undefined/);
  });

  test("after close() the next pass starts others", async () => {
    const passes = workers(2);
    const before = await globalNorm(arrays(1), passes);
    await passes.close();
    expect(await globalNorm(arrays(1), passes)).toBe(before);
  });
});

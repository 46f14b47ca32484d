/** The program of a worker thread that has a part in passes over all parameters and masks, in the memory of the main thread's arrays. */
import { parentPort } from "node:worker_threads";
import { runBlocks } from "../train/pass-runner.ts";
import type { PassArray, PassName } from "../train/passes.ts";
import { loadKoffi } from "./koffi.ts";

/** The kinds of arrays, by the names of their elements' types. */
const ARRAYS = { float32: Float32Array, uint8: Uint8Array } as const;

/** An array of the main thread, which keeps it while a pass is made. */
export interface SharedArray {
  readonly id: number;
  readonly type: keyof typeof ARRAYS;
  readonly address: bigint;
  /** Elements. */
  readonly length: number;
}

/** One pass. */
export interface PassJob {
  /** Arrays that this thread does not know yet. */
  readonly added: readonly SharedArray[];
  readonly name: PassName;
  /** The arrays of each task by their ids. */
  readonly tasks: readonly { readonly ids: readonly number[]; readonly factors: object }[];
  /** The number of the next block to take. */
  readonly next: Int32Array;
  /** Two for each block. */
  readonly sums: Float64Array;
}

const arrays = new Map<number, PassArray>();

parentPort?.on("message", ({ added, name, tasks, next, sums }: PassJob) => {
  for (const array of added) arrays.set(array.id, viewOf(array));
  const own = tasks.map(({ ids, factors }) => {
    const [first, ...others] = ids.map((id) => arrays.get(id) as PassArray);
    return { arrays: [first as PassArray, ...others] as const, factors };
  });
  runBlocks(name, own, () => Atomics.add(next, 0, 1), sums);
  // A message, though it says nothing, orders what was written before it.
  parentPort?.postMessage(undefined);
});

function viewOf({ type, address, length }: SharedArray): PassArray {
  const ArrayType = ARRAYS[type];
  // One without elements may have no address.
  if (length === 0) return new ArrayType(0);
  return new ArrayType(loadKoffi().view(address, length * ArrayType.BYTES_PER_ELEMENT));
}

/** Who makes the passes over all parameters and masks: this thread alone, or several that share the blocks of each pass. */
import {
  type AnyPassTask,
  NO_SUMS,
  PASSES,
  type PassArray,
  type PassName,
  type PassSums,
  type PassTask,
  WHOLE_ARRAY_PASSES,
} from "./passes.ts";

/** Makes passes over all parameters, or over all masks. */
export interface PassRunner {
  /**
   * One pass over the arrays of each task; nothing else may change them meanwhile.
   * @returns the sums of each task, the same bits whoever works on it.
   * @throws {RuntimeError} when a thread ends; the arrays may be changed in part then.
   */
  run<Name extends PassName>(name: Name, tasks: readonly PassTask<Name>[]): Promise<readonly PassSums[]>;
}

/** Elements that are worked on, and added up, at once: few enough to share the work of a model evenly among threads. */
const BLOCK_LENGTH = 65_536;

function blockLength(name: PassName): number {
  return WHOLE_ARRAY_PASSES.has(name) ? Number.POSITIVE_INFINITY : BLOCK_LENGTH;
}

function blocksOf(name: PassName, { arrays: [array] }: AnyPassTask): number {
  return array.length === 0 ? 0 : Math.max(1, Math.ceil(array.length / blockLength(name)));
}

/** Room for the sums of all blocks, two each, in bytes. */
export function sumsBytes(name: PassName, tasks: readonly AnyPassTask[]): number {
  const blocks = tasks.reduce((count, task) => count + blocksOf(name, task), 0);
  return blocks * 2 * Float64Array.BYTES_PER_ELEMENT;
}

/**
 * Works on one block after the other until none is left; several threads may do so, each with the same tasks.
 * @param take - the number of a block that nobody has taken yet, higher at each call. @param sums - two for each block.
 */
export function runBlocks(name: PassName, tasks: readonly AnyPassTask[], take: () => number, sums: Float64Array): void {
  const pass = PASSES[name] as unknown as (arrays: readonly PassArray[], factors: object) => PassSums;
  let first = 0;
  let block = take();
  for (const task of tasks) {
    const end = first + blocksOf(name, task);
    for (; block < end; block = take()) {
      const begin = (block - first) * BLOCK_LENGTH;
      const parts = task.arrays.map((array) => array.subarray(begin, begin + blockLength(name)));
      sums.set(pass(parts, task.factors), 2 * block);
    }
    first = end;
  }
}

/** The sums of each task from those of its blocks, added in their order. */
export function sumsOfTasks(name: PassName, tasks: readonly AnyPassTask[], sums: Float64Array): PassSums[] {
  let block = 0;
  return tasks.map((task) => {
    let [first, second] = NO_SUMS;
    for (const end = block + blocksOf(name, task); block < end; block++) {
      first += sums[2 * block] as number;
      second += sums[2 * block + 1] as number;
    }
    return [first, second];
  });
}

/** Works in this thread alone. */
export const serialPasses: PassRunner = {
  async run(name, tasks) {
    const sums = new Float64Array(new ArrayBuffer(sumsBytes(name, tasks)));
    let next = 0;
    runBlocks(name, tasks, () => next++, sums);
    return sumsOfTasks(name, tasks, sums);
  },
};

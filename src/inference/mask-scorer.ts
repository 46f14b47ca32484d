/** Runs a masked language model over rows of token ids, in batches of like lengths. */
import type { Executable } from "../runtime/runtime.ts";
import { hostTensor } from "../util/tensor.ts";

/** One text as it enters the model, and the positions to score. */
export interface MaskedRow {
  /** int32 [seq]; with [CLS] and [SEP]. */
  readonly ids: Int32Array;
  /** At least one, in 0 .. seq - 1. */
  readonly positions: readonly number[];
}

/** Rows in one run of the model. */
const BATCH_SIZE = 32;

/** Probabilities of the vocabulary at positions of many rows. */
export class MaskScorer {
  /** Entries of the vocabulary. */
  readonly vocabSize: number;
  readonly #columns: number;
  readonly #executable: Executable;

  /**
   * @param executable - of `maskedLmGraph`.
   * @param columns - of its result; more than the vocabulary has entries where a model has rows to spare.
   */
  constructor(executable: Executable, vocabSize: number, columns = vocabSize) {
    this.#executable = executable;
    this.vocabSize = vocabSize;
    this.#columns = columns;
  }

  /**
   * Scores rows, the shorter ones first.
   * @param visit - called once for each row with its index and float32 [positions * vocabSize], each position's
   *   probabilities in turn; they are not kept after the call.
   */
  async score(rows: readonly MaskedRow[], visit: (row: number, probabilities: Float32Array) => void): Promise<void> {
    const lengthOf = (row: number) => rows[row]?.ids.length ?? 0;
    const byLength = [...rows.keys()].sort((a, b) => lengthOf(a) - lengthOf(b));
    for (let start = 0; start < byLength.length; start += BATCH_SIZE) {
      const batch = byLength.slice(start, start + BATCH_SIZE);
      const probabilities = await this.#run(batch.map((row) => rows[row] as MaskedRow));
      let at = 0;
      for (const row of batch) {
        const size = (rows[row] as MaskedRow).positions.length * this.vocabSize;
        visit(row, probabilities.subarray(at, at + size));
        at += size;
      }
    }
  }

  /** float32 [positions of all rows, vocabSize], flat. */
  async #run(rows: readonly MaskedRow[]): Promise<Float32Array> {
    const seqLength = Math.max(...rows.map(({ ids }) => ids.length));
    const shape = [rows.length, seqLength];
    const inputIds = new Int32Array(rows.length * seqLength);
    const attentionMask = new Int32Array(rows.length * seqLength);
    rows.forEach(({ ids }, row) => {
      inputIds.set(ids, row * seqLength);
      attentionMask.fill(1, row * seqLength, row * seqLength + ids.length);
    });
    const positions = rows.flatMap(({ positions: own }, row) => own.map((position) => row * seqLength + position));
    const { probabilities } = await this.#executable.run({
      input_ids: hostTensor("int32", shape, inputIds),
      token_type_ids: hostTensor("int32", shape, new Int32Array(rows.length * seqLength)),
      attention_mask: hostTensor("int32", shape, attentionMask),
      positions: hostTensor("int32", [positions.length], Int32Array.from(positions)),
    });
    return this.#ofEntries(probabilities?.data as Float32Array);
  }

  /** Without the columns that stand for no entry. */
  #ofEntries(probabilities: Float32Array): Float32Array {
    if (this.#columns === this.vocabSize) return probabilities;
    const positions = probabilities.length / this.#columns;
    const kept = new Float32Array(positions * this.vocabSize);
    for (let i = 0; i < positions; i++) {
      const start = i * this.#columns;
      kept.set(probabilities.subarray(start, start + this.vocabSize), i * this.vocabSize);
    }
    return kept;
  }
}

/** The smallest positive float32: a probability that is 0 by rounding keeps its place in a ranking. */
const SMALLEST = 2 ** -149;

/** The natural logarithm of a probability; finite. */
export function logOf(probability: number): number {
  return Math.log(Math.max(probability, SMALLEST));
}

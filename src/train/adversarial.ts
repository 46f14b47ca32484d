/**
 * Adversarial training on the word embeddings: the batch is computed again with the embeddings moved to where the loss is
 * higher, and the gradients from there are added.
 */
import { ArgumentError, verbatim } from "../errors.ts";
import type { NamedTensors } from "../util/tensor.ts";
import type { Gradients } from "./clipping.ts";

/** The table that is moved. */
const WORD_EMBEDDINGS = "bert.embeddings.word_embeddings.weight";

/** `fgm` makes one step, `pgd` several within a ball. */
export const ADVERSARIAL_METHODS = ["fgm", "pgd"] as const;

/** How embeddings are moved. */
export interface Adversarial {
  readonly method: (typeof ADVERSARIAL_METHODS)[number];
  /** The length of the step of `fgm`; the radius of the ball of `pgd`; 1. */
  readonly epsilon?: number;
  /** Of `pgd`: the length of each step; 0.3. */
  readonly stepSize?: number;
  /** Of `pgd`: how many; 3. */
  readonly steps?: number;
}

/** What `pgd` takes where nothing is said. */
export const PGD_DEFAULTS = { stepSize: 0.3, steps: 3 } as const;
/** The epsilon of both methods where it is not said. */
export const ADVERSARIAL_EPSILON = 1;

/**
 * Moves the embeddings of one micro-batch, and puts them back.
 * Source: Miyato, Dai and Goodfellow 2017 (Adversarial Training Methods for Semi-Supervised Text Classification), with the
 * step along the gradient of the table's rows; Madry et al. 2018 for several steps with projection.
 */
export class EmbeddingPerturbation {
  /** Passes over the moved embeddings; the gradients of the last one count. */
  readonly passes: number;
  readonly #table: Float32Array;
  readonly #width: number;
  readonly #stepSize: number;
  readonly #radius: number;
  #rows: readonly number[] = [];
  /** The rows as they were, one after the other. */
  #saved = new Float32Array(0);

  /**
   * @param trained - the weights that have gradients.
   * @throws {ArgumentError} when the word embeddings are not among them.
   */
  constructor(trained: NamedTensors, { method, epsilon = ADVERSARIAL_EPSILON, stepSize, steps }: Adversarial) {
    const table = trained.get(WORD_EMBEDDINGS);
    if (table === undefined) {
      throw new ArgumentError({
        where: "adversarial training",
        expected: "word embeddings that are trained",
        got: verbatim("frozen ones"),
        hint: "Leave the embeddings free, or train without --adversarial.",
      });
    }
    this.#table = table.data as Float32Array;
    this.#width = table.shape[1] as number;
    this.#radius = epsilon;
    this.#stepSize = method === "fgm" ? epsilon : (stepSize ?? PGD_DEFAULTS.stepSize);
    this.passes = method === "fgm" ? 1 : (steps ?? PGD_DEFAULTS.steps);
  }

  /** Whether there are gradients to move along: not while the embeddings are frozen. */
  canMove(gradients: Gradients): boolean {
    return gradients.has(WORD_EMBEDDINGS);
  }

  /** Keeps the rows of a batch. @param ids - its tokens, each once or more. */
  begin(ids: Iterable<number>): void {
    this.#rows = [...new Set(ids)];
    const length = this.#rows.length * this.#width;
    if (this.#saved.length < length) this.#saved = new Float32Array(length);
    this.#rows.forEach((row, i) => {
      this.#saved.set(this.#rowOf(this.#table, row), i * this.#width);
    });
  }

  /** One step along the gradient, then back into the ball around the rows as they were. */
  step(gradients: Gradients): void {
    const gradient = gradients.get(WORD_EMBEDDINGS) as Float32Array;
    const norm = this.#norm((row, _, column) => gradient[row * this.#width + column] as number);
    // Without a direction the embeddings stay; a gradient that is not a number ends the run after the passes.
    if (!(norm > 0) || norm === Number.POSITIVE_INFINITY) return;
    const factor = this.#stepSize / norm;
    for (const row of this.#rows) {
      const [values, slopes] = [this.#rowOf(this.#table, row), this.#rowOf(gradient, row)];
      for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) + factor * (slopes[i] as number);
    }
    if (this.passes > 1) this.#project();
  }

  /** Puts the rows back, bit for bit. */
  end(): void {
    this.#rows.forEach((row, i) => {
      this.#table.set(this.#saved.subarray(i * this.#width, (i + 1) * this.#width), row * this.#width);
    });
    this.#rows = [];
  }

  #project(): void {
    const { length } = this;
    if (length <= this.#radius) return;
    const factor = this.#radius / length;
    this.#rows.forEach((row, i) => {
      const values = this.#rowOf(this.#table, row);
      for (let column = 0; column < values.length; column++) {
        const saved = this.#saved[i * this.#width + column] as number;
        values[column] = saved + factor * ((values[column] as number) - saved);
      }
    });
  }

  /** How far the rows are from where they were, as one vector. */
  get length(): number {
    const moved = (row: number, i: number, column: number) =>
      (this.#table[row * this.#width + column] as number) - (this.#saved[i * this.#width + column] as number);
    return this.#norm(moved);
  }

  #norm(at: (row: number, i: number, column: number) => number): number {
    let sum = 0;
    this.#rows.forEach((row, i) => {
      for (let column = 0; column < this.#width; column++) sum += at(row, i, column) ** 2;
    });
    return Math.sqrt(sum);
  }

  #rowOf(table: Float32Array, row: number): Float32Array {
    return table.subarray(row * this.#width, (row + 1) * this.#width);
  }
}

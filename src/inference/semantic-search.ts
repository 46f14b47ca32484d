/** Exact semantic search: the texts whose vectors are nearest to a query's by cosine. */
import { ArgumentError } from "../errors.ts";

/** A text that was found. */
export interface SearchHit {
  /** Its place in the order in which texts were added, from 0. */
  readonly index: number;
  /** The cosine of the two vectors, in -1 .. 1. */
  readonly score: number;
}

const FIRST_CAPACITY = 1024;

/** Vectors of texts in one array, and the search over all of them; some hundred million numbers a second. */
export class VectorIndex {
  readonly dim: number;
  #vectors: Float32Array;
  #count = 0;

  /** @param dim - numbers of each vector. */
  constructor(dim: number) {
    this.dim = dim;
    this.#vectors = new Float32Array(FIRST_CAPACITY * dim);
  }

  /** Vectors so far. */
  get count(): number {
    return this.#count;
  }

  /**
   * Adds a text's vector, scaled to length 1.
   * @param vector - float32 [dim].
   * @throws {ArgumentError} when it has another size.
   */
  add(vector: Float32Array): void {
    if ((this.#count + 1) * this.dim > this.#vectors.length) {
      const larger = new Float32Array(2 * this.#vectors.length);
      larger.set(this.#vectors);
      this.#vectors = larger;
    }
    this.#vectors.set(this.#unit(vector), this.#count * this.dim);
    this.#count += 1;
  }

  /**
   * The nearest vectors, the nearest first; of equals the one that was added first.
   * @param query - float32 [dim].
   * @throws {ArgumentError} when it has another size, or topK is no whole number above 0.
   */
  search(query: Float32Array, topK = 5): SearchHit[] {
    if (!Number.isSafeInteger(topK) || topK < 1) {
      throw new ArgumentError({ where: "semantic search: topK", expected: "a whole number above 0", got: topK });
    }
    const unit = this.#unit(query);
    const hits: SearchHit[] = [];
    for (let index = 0; index < this.#count; index++) {
      const score = this.#cosine(unit, index);
      const worst = hits.at(-1);
      if (hits.length === topK && worst !== undefined && score <= worst.score) continue;
      let place = hits.length;
      while (place > 0 && (hits[place - 1] as SearchHit).score < score) place--;
      hits.splice(place, 0, { index, score });
      if (hits.length > topK) hits.pop();
    }
    return hits;
  }

  #cosine(unit: Float32Array, index: number): number {
    const start = index * this.dim;
    let sum = 0;
    for (let i = 0; i < this.dim; i++) sum += (unit[i] as number) * (this.#vectors[start + i] as number);
    return sum;
  }

  #unit(vector: Float32Array): Float32Array {
    if (vector.length !== this.dim) {
      throw new ArgumentError({
        where: "semantic search: vector",
        expected: `${this.dim} numbers`,
        got: vector.length,
        hint: "compare vectors of one model, made with the same options",
      });
    }
    const length = Math.hypot(...vector);
    return length === 0 ? vector : vector.map((value) => value / length);
  }
}

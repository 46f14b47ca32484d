/** Losses of vectors against torch 2.13.0 (normalize, cosine_similarity, cross_entropy; CoSENT written out there). */
import { describe, expect, test } from "vitest";
import { evaluate, expectClose, numbers } from "../../test/graph-checks.ts";
import { gradients } from "../graph/autodiff.ts";
import { input, type Tensor } from "../graph/graph.ts";
import { type HostTensor, hostTensor } from "../util/tensor.ts";
import { cosentLoss, inBatchLoss, pairCosines } from "./vector-losses.ts";

const vectors = (...data: number[]) => hostTensor("float32", [4, 3], Float32Array.from(data));
const feeds: Record<string, HostTensor> = {
  a: vectors(1, 2, -1, 0.5, -1, 2, 2, 0, 1, -1, 1, 1),
  b: vectors(1, 1, -2, 1, -1, 1, 0, 1, 1, -2, 1, 0.5),
  n: vectors(2, 1, -1, 0, 1, 2, 1, 1, 1, 1, -1, 0),
  scores: hostTensor("float32", [4], Float32Array.of(0.9, 0.2, 0.2, 0.5)),
  all: hostTensor("float32", [4], Float32Array.of(1, 1, 1, 1)),
  three: hostTensor("float32", [4], Float32Array.of(1, 1, 1, 0)),
};
const [a, b, n] = ["a", "b", "n"].map((name) => input(name, "float32", [4, 3])) as [Tensor, Tensor, Tensor];
const [scores, all, three] = ["scores", "all", "three"].map((name) => input(name, "float32", [4])) as [
  Tensor,
  Tensor,
  Tensor,
];

async function lossValue(loss: Tensor): Promise<number> {
  return numbers((await evaluate({ loss }, feeds))["loss"])[0] as number;
}

describe("negatives of the batch", () => {
  test("anchors find their positives, and with hard negatives", async () => {
    expect(await lossValue(inBatchLoss(a, [b], all, 0.05))).toBeCloseTo(2.3516812, 5);
    expect(await lossValue(inBatchLoss(a, [b, n], all, 0.05))).toBeCloseTo(2.7296171, 5);
  });

  test("rows that only fill the batch are neither anchors nor candidates", async () => {
    expect(await lossValue(inBatchLoss(a, [b], three, 0.05))).toBeCloseTo(3.0558374, 5);
    expect(await lossValue(inBatchLoss(a, [b, n], three, 0.05))).toBeCloseTo(3.5208071, 5);
  });
});

describe("CoSENT", () => {
  test("cosines come into the order of scores; equal scores say nothing", async () => {
    expect(await lossValue(cosentLoss(pairCosines(a, b), scores, all))).toBeCloseTo(1.9857886, 5);
    expect(await lossValue(cosentLoss(pairCosines(a, b), scores, three))).toBeCloseTo(1.2926441, 5);
  });

  test("a step down its gradient lowers it", async () => {
    const lossOf = (x: Tensor) => cosentLoss(pairCosines(x, b), scores, all);
    const [gradient] = gradients(lossOf(a), [a]);
    const direction = numbers((await evaluate({ gradient: gradient as Tensor }, feeds))["gradient"]);
    const moved = Float32Array.from(feeds["a"]?.data as Float32Array, (x, i) => x - 0.01 * (direction[i] as number));
    const results = await evaluate({ loss: lossOf(a) }, { ...feeds, a: hostTensor("float32", [4, 3], moved) });
    expect(numbers(results["loss"])[0]).toBeLessThan(1.98);
  });
});

test("the cosine of a pair; of a vector of zeros 0", async () => {
  const cosines = numbers((await evaluate({ cosines: pairCosines(a, b) }, feeds))["cosines"]);
  expectClose(cosines, [0.8333333, 0.8819171, 0.3162278, 0.8819171], 1e-6);
  const zeros = { ...feeds, b: hostTensor("float32", [4, 3], new Float32Array(12)) };
  expectClose(numbers((await evaluate({ cosines: pairCosines(a, b) }, zeros))["cosines"]), [0, 0, 0, 0], 1e-6);
});

/** Layer normalisation over the last axis. */
import { ShapeError, verbatim } from "../../errors.ts";
import { formatType } from "../../util/tensor.ts";
import { product } from "../dims.ts";
import { defineOp, type Tensor, type TensorType } from "../graph.ts";
import { mul, sub } from "./arithmetic.ts";
import { reduceSum } from "./broadcast.ts";
import { reduceMean } from "./reduce.ts";

const FLOPS_PER_ELEMENT = 8;

/** Outputs: the normalised tensor; its mean and the inverse of its standard deviation [..., 1], kept for the gradient. */
const layerNormOp = defineOp<{ readonly epsilon: number }>({
  name: "layerNorm",
  infer: ([input, gamma, beta]) => {
    const x = input as TensorType;
    for (const vector of [gamma as TensorType, beta as TensorType]) {
      if (vector.shape.length === 1 && vector.shape[0] === x.shape.at(-1)) continue;
      throw new ShapeError({
        where: "layerNorm",
        expected: `a weight and a bias of [${x.shape.at(-1)}]`,
        got: verbatim(`${formatType(vector.dtype, vector.shape)} for ${formatType(x.dtype, x.shape)}`),
      });
    }
    const statistics = { dtype: x.dtype, shape: [...x.shape.slice(0, -1), 1] };
    return [x, statistics, statistics];
  },
  vjp: ({ grad, inputs: [x, gamma], outputs: [, mean, inverseDeviation], wants }) => {
    const normalized = mul(sub(x as Tensor, mean as Tensor), inverseDeviation as Tensor);
    const leading = (x as Tensor).shape.slice(0, -1).map((_, i) => i);
    const slope = mul(grad, gamma as Tensor);
    const centered = sub(slope, reduceMean(slope, [-1], true));
    const projected = mul(normalized, reduceMean(mul(slope, normalized), [-1], true));
    return [
      wants(0) ? mul(sub(centered, projected), inverseDeviation as Tensor) : undefined,
      wants(1) ? reduceSum(mul(grad, normalized), leading) : undefined,
      wants(2) ? reduceSum(grad, leading) : undefined,
    ];
  },
  lower: ({ attributes: { epsilon } }) => ({
    opType: "LayerNormalization",
    attributes: { axis: { int: -1 }, epsilon: { float: epsilon } },
  }),
  flops: ([x]) => FLOPS_PER_ELEMENT * Number(product((x as TensorType).shape)),
});

/**
 * Each row brought to mean 0 and variance 1, then scaled and shifted.
 * @param x - float32 [..., width].
 * @param weight - float32 [width]; gamma.
 * @param bias - float32 [width]; beta.
 * @param epsilon - added to the variance; 1e-12 in BERT.
 * @returns float32 [..., width].
 * @throws {ShapeError} when weight or bias have another width.
 * ONNX: `LayerNormalization` (opset 17). Source: Ba, Kiros and Hinton 2016, equation 4.
 */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor {
  return layerNormOp([x, weight, bias], { epsilon });
}

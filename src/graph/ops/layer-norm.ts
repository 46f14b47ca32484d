/** Layer normalisation over the last axis. */
import { ShapeError, verbatim } from "../../errors.ts";
import { formatType } from "../../util/tensor.ts";
import { product } from "../dims.ts";
import {
  defineOp,
  type LowerContext,
  type LoweredAlias,
  type LoweredNode,
  type Tensor,
  type TensorType,
} from "../graph.ts";
import { after } from "./after.ts";
import { mul, sub } from "./arithmetic.ts";
import { reduceSum } from "./broadcast.ts";
import { reduceMean } from "./reduce.ts";

const FLOPS_PER_ELEMENT = 8;
/** ONNX has layer normalisation among its operators since version 17. */
const LAYER_NORM_OPSET = 17;

interface LayerNormAttributes {
  readonly epsilon: number;
}

/** Outputs: the normalised tensor; its mean and the inverse of its standard deviation [..., 1], kept for the gradient. */
const layerNormOp = defineOp<LayerNormAttributes>({
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
  rematerialize: ([x, gamma, beta], { epsilon }, earlier) =>
    layerNorm(after(x as Tensor, earlier), gamma as Tensor, beta as Tensor, epsilon),
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
  lower: lowerLayerNorm,
  flops: ([x]) => FLOPS_PER_ELEMENT * Number(product((x as TensorType).shape)),
});

function lowerLayerNorm(context: LowerContext<LayerNormAttributes>): LoweredNode | LoweredAlias {
  const { attributes, target, names, emit, scalar } = context;
  const { epsilon } = attributes;
  if (target.opset >= LAYER_NORM_OPSET) {
    return { opType: "LayerNormalization", attributes: { axis: { int: -1 }, epsilon: { float: epsilon } } };
  }
  const [x, gamma, beta] = names as [string, string, string];
  // In these versions the axes of a mean are an attribute.
  const mean = (of: string) =>
    emit({ opType: "ReduceMean", inputs: [of], attributes: { axes: { ints: [-1] }, keepdims: { int: 1 } } });
  const both = (opType: string, a: string, b: string) => emit({ opType, inputs: [a, b] });
  const centered = both("Sub", x, mean(x));
  const variance = mean(both("Mul", centered, centered));
  const deviation = emit({ opType: "Sqrt", inputs: [both("Add", variance, scalar("float32", epsilon))] });
  const normalized = both("Div", centered, deviation);
  // Only training reads mean and deviation, and training is never written for so old a version.
  return { alias: both("Add", both("Mul", normalized, gamma), beta) };
}

/**
 * Each row brought to mean 0 and variance 1, then scaled and shifted.
 * @param x - float32 [..., width].
 * @param weight - float32 [width]; gamma.
 * @param bias - float32 [width]; beta.
 * @param epsilon - added to the variance; 1e-12 in BERT.
 * @returns float32 [..., width].
 * @throws {ShapeError} when weight or bias have another width.
 * ONNX: `LayerNormalization` (opset 17), before that its parts. Source: Ba, Kiros and Hinton 2016, equation 4.
 */
export function layerNorm(x: Tensor, weight: Tensor, bias: Tensor, epsilon: number): Tensor {
  return layerNormOp([x, weight, bias], { epsilon });
}

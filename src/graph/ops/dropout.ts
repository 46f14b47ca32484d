/** Dropout with a mask that is given: the same bits on every engine, and again when a run is resumed. */
import { ArgumentError, ShapeError, verbatim } from "../../errors.ts";
import { formatType } from "../../util/tensor.ts";
import { sameShape } from "../dims.ts";
import { defineOp, type LowerContext, type Tensor, type TensorType } from "../graph.ts";
import { zeroOf } from "./_zero-of.ts";
import { after } from "./after.ts";

interface DropoutAttributes {
  readonly rate: number;
}

const dropoutOp = defineOp<DropoutAttributes>({
  name: "dropout",
  infer: ([input, keepMask]) => {
    const [x, mask] = [input as TensorType, keepMask as TensorType];
    if (sameShape(x.shape, mask.shape) && mask.dtype === "uint8") return { dtype: x.dtype, shape: x.shape };
    throw new ShapeError({
      where: "dropout: mask",
      expected: formatType("uint8", x.shape),
      got: verbatim(formatType(mask.dtype, mask.shape)),
    });
  },
  rematerialize: ([x, keepMask], { rate }, earlier) => dropout(after(x as Tensor, earlier), keepMask as Tensor, rate),
  vjp: ({ grad, inputs: [, keepMask], attributes: { rate } }) => [dropout(grad, keepMask as Tensor, rate)],
  lower: lowerDropout,
});

/**
 * The mask becomes floats each time that it is used: kept for the gradient they would take four times its bytes. An
 * engine shares equal nodes, so the factor is made to depend on `x`, by zero times its first element.
 */
function lowerDropout(context: LowerContext<DropoutAttributes>) {
  const { names, attributes, emit, scalar } = context;
  const [x, mask] = names as readonly [string, string];
  const factor = emit({ opType: "Add", inputs: [zeroOf(context, 0), scalar("float32", 1 / (1 - attributes.rate))] });
  const factors = emit({ opType: "DequantizeLinear", inputs: [mask, factor] });
  return { opType: "Mul", inputs: [x, factors] };
}

/**
 * Elements kept where the mask is 1 and multiplied by 1 / (1 - rate), and 0 where it is 0.
 * @param x - float32, any shape of one axis or more.
 * @param keepMask - uint8, the shape of `x`; 1 with probability 1 - rate (util/keep-mask.ts fills it).
 * @param rate - in 0 .. 1 without 1, the share that is dropped.
 * @returns float32, the shape of `x`.
 * @throws {ShapeError} when the mask has another shape.
 * @throws {ArgumentError} when the rate is outside of its range.
 * ONNX: `DequantizeLinear` (opset 13) and `Mul`. Source: Srivastava et al. 2014, section 4, inverted.
 */
export function dropout(x: Tensor, keepMask: Tensor, rate: number): Tensor {
  if (!(rate >= 0 && rate < 1)) {
    throw new ArgumentError({ where: "dropout: rate", expected: "a share of at least 0 and below 1", got: rate });
  }
  return dropoutOp([x, keepMask], { rate });
}

/** Dropout with a mask that is given: the same bits on every engine, and again when a run is resumed. */
import { ArgumentError, ShapeError, verbatim } from "../../errors.ts";
import { formatType } from "../../util/tensor.ts";
import { sameShape } from "../dims.ts";
import type { Tensor } from "../graph.ts";
import { mul, scale } from "./arithmetic.ts";
import { cast } from "./logic.ts";

/**
 * Elements kept where the mask is 1 and multiplied by 1 / (1 - rate), and 0 where it is 0.
 * @param x - float32, any shape.
 * @param keepMask - uint8, the shape of `x`; 1 with probability 1 - rate (util/random.ts fills it).
 * @param rate - in 0 .. 1 without 1, the share that is dropped.
 * @returns float32, the shape of `x`.
 * @throws {ShapeError} when the mask has another shape.
 * @throws {ArgumentError} when the rate is outside of its range.
 * ONNX: `Cast` and `Mul`. Source: Srivastava et al. 2014, section 4, inverted.
 */
export function dropout(x: Tensor, keepMask: Tensor, rate: number): Tensor {
  if (!sameShape(x.shape, keepMask.shape) || keepMask.dtype !== "uint8") {
    throw new ShapeError({
      where: "dropout: mask",
      expected: formatType("uint8", x.shape),
      got: verbatim(formatType(keepMask.dtype, keepMask.shape)),
    });
  }
  if (!(rate >= 0 && rate < 1)) {
    throw new ArgumentError({ where: "dropout: rate", expected: "a share of at least 0 and below 1", got: rate });
  }
  return mul(x, scale(cast(keepMask, "float32"), 1 / (1 - rate)));
}

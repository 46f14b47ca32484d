/** Comparison, choice and conversion: equal, less, where, cast. */
import { ShapeError, verbatim } from "../../errors.ts";
import { type DType, formatType } from "../../util/tensor.ts";
import { isFloat, onnxDataType } from "../data-type.ts";
import { broadcastShapes, product } from "../dims.ts";
import { defineOp, type Tensor, type TensorType } from "../graph.ts";
import { inferBroadcast } from "./arithmetic.ts";
import { unbroadcast } from "./broadcast.ts";
import { full } from "./constant.ts";

function comparison(name: string, opType: string) {
  return defineOp<object>({
    name,
    infer: (inputs) => ({ dtype: "bool", shape: inferBroadcast(name, inputs).shape }),
    lower: () => ({ opType }),
  });
}

const equalOp = comparison("equal", "Equal");
const lessOp = comparison("less", "Less");

/** Where two tensors are equal, broadcast; bool. ONNX: `Equal` (opset 13). @throws {ShapeError} when they do not fit. */
export function equal(a: Tensor, b: Tensor): Tensor {
  return equalOp([a, b], {});
}

/** Where `a < b`, broadcast; bool. ONNX: `Less` (opset 13). @throws {ShapeError} when they do not fit. */
export function less(a: Tensor, b: Tensor): Tensor {
  return lessOp([a, b], {});
}

const whereOp = defineOp<object>({
  name: "where",
  infer: ([condition, a, b]) => {
    const { dtype, shape } = condition as TensorType;
    if (dtype !== "bool") {
      throw new ShapeError({ where: "where: condition", expected: "bool", got: verbatim(formatType(dtype, shape)) });
    }
    const values = inferBroadcast("where", [a as TensorType, b as TensorType]);
    return { dtype: values.dtype, shape: broadcastShapes("where", shape, values.shape) };
  },
  vjp: ({ grad, inputs: [condition, a, b], wants }) => {
    const zero = full("float32", [], 0);
    const chosen = wants(1) ? where(condition as Tensor, grad, zero) : undefined;
    const other = wants(2) ? where(condition as Tensor, zero, grad) : undefined;
    return [
      undefined,
      chosen && unbroadcast(chosen, (a as Tensor).shape),
      other && unbroadcast(other, (b as Tensor).shape),
    ];
  },
  lower: () => ({ opType: "Where" }),
});

/**
 * Elements of `a` where the condition holds, of `b` elsewhere, broadcast.
 * @param condition - bool.
 * @throws {ShapeError} when the condition is not bool or the shapes do not broadcast.
 * ONNX: `Where` (opset 16).
 */
export function where(condition: Tensor, a: Tensor, b: Tensor): Tensor {
  return whereOp([condition, a, b], {});
}

const castOp = defineOp<{ readonly dtype: DType }>({
  name: "cast",
  infer: ([x], { dtype }) => ({ dtype, shape: (x as TensorType).shape }),
  // Integers and truth values have no gradient.
  vjp: ({ grad, inputs: [x] }) => [isFloat((x as Tensor).dtype) ? cast(grad, (x as Tensor).dtype) : undefined],
  lower: ({ attributes: { dtype } }) => ({ opType: "Cast", attributes: { to: { int: onnxDataType[dtype] } } }),
  simplify: ([x], { dtype }) => ((x as Tensor).dtype === dtype ? x : undefined),
  flops: ([x]) => Number(product((x as TensorType).shape)),
});

/** A tensor with its elements converted. ONNX: `Cast` (opset 13). */
export function cast(x: Tensor, dtype: DType): Tensor {
  return castOp([x], { dtype });
}

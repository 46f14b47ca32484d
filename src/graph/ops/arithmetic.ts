/** Element-wise arithmetic with broadcasting: add, sub, mul, div, and multiples of a scalar. */
import { ShapeError, verbatim } from "../../errors.ts";
import { formatType } from "../../util/tensor.ts";
import { isFloat } from "../data-type.ts";
import { broadcastShapes, sameShape } from "../dims.ts";
import { defineOp, type OperatorDefinition, type OperatorFunction, type Tensor, type TensorType } from "../graph.ts";
import { beforeBroadcast, unbroadcast } from "./broadcast.ts";
import { constantValue, full } from "./constant.ts";

/** The shape rule of every element-wise operator of two inputs: one dtype, shapes that broadcast. */
export function inferBroadcast(name: string, [a, b]: readonly TensorType[]): TensorType {
  const [x, y] = [a as TensorType, b as TensorType];
  if (x.dtype !== y.dtype) {
    throw new ShapeError({
      where: name,
      expected: "two tensors of one dtype",
      got: verbatim(`${formatType(x.dtype, x.shape)} and ${formatType(y.dtype, y.shape)}`),
      hint: "cast one of them",
    });
  }
  return { dtype: x.dtype, shape: broadcastShapes(name, x.shape, y.shape) };
}

type Definition = OperatorDefinition<object>;

function binary(
  name: string,
  opType: string,
  vjp: NonNullable<Definition["vjp"]>,
  fold: NonNullable<Definition["simplify"]>,
) {
  const apply: OperatorFunction<object> = defineOp<object>({
    name,
    infer: (inputs) => inferBroadcast(name, inputs),
    vjp: (context) => {
      const grads = vjp(context);
      return context.inputs.map((source, i) => grads[i] && unbroadcast(grads[i], source.shape));
    },
    lower: () => ({ opType }),
    simplify: (inputs, attributes) => fold(inputs, attributes) ?? withoutBroadcast(name, inputs, apply),
  });
  return apply;
}

/** The same operation on what was broadcast, when the other side has the full shape: the operation broadcasts itself. */
function withoutBroadcast(name: string, inputs: readonly Tensor[], apply: OperatorFunction<object>) {
  const { shape } = inferBroadcast(name, inputs);
  const sources = inputs.map(beforeBroadcast);
  const changed = sources.some((source, i) => source !== inputs[i]);
  return changed && sameShape(inferBroadcast(name, sources).shape, shape) ? apply(sources, {}) : undefined;
}

/** `x` itself when it already has the shape that `x op neutral` would have. */
function withoutNeutral(name: string, x: Tensor, neutral: Tensor): Tensor | undefined {
  return sameShape(inferBroadcast(name, [x, neutral]).shape, x.shape) ? x : undefined;
}

/** Folds two constants into one. */
function foldConstants(name: string, [a, b]: readonly Tensor[], fold: (x: number, y: number) => number) {
  const [x, y] = [constantValue(a as Tensor), constantValue(b as Tensor)];
  if (x === undefined || y === undefined) return undefined;
  const { dtype, shape } = inferBroadcast(name, [a as Tensor, b as Tensor]);
  return full(dtype, shape, fold(x, y));
}

const addOp = binary(
  "add",
  "Add",
  ({ grad }) => [grad, grad],
  ([a, b]) => {
    const [x, y] = [a as Tensor, b as Tensor];
    if (constantValue(x) === 0) return withoutNeutral("add", y, x);
    if (constantValue(y) === 0) return withoutNeutral("add", x, y);
    return foldConstants("add", [x, y], (left, right) => left + right);
  },
);

const subOp = binary(
  "sub",
  "Sub",
  ({ grad, wants }) => [grad, wants(1) ? scale(grad, -1) : undefined],
  ([a, b]) => {
    const [x, y] = [a as Tensor, b as Tensor];
    if (constantValue(y) === 0) return withoutNeutral("sub", x, y);
    return foldConstants("sub", [x, y], (left, right) => left - right);
  },
);

const mulOp = binary(
  "mul",
  "Mul",
  ({ grad, inputs: [a, b], wants }) => [
    wants(0) ? mul(grad, b as Tensor) : undefined,
    wants(1) ? mul(grad, a as Tensor) : undefined,
  ],
  ([a, b]) => {
    const [x, y] = [a as Tensor, b as Tensor];
    if (constantValue(x) !== undefined && constantValue(y) === undefined) return mul(y, x);
    if (constantValue(y) === 1) return withoutNeutral("mul", x, y);
    return foldConstants("mul", [x, y], (left, right) => left * right) ?? joinFactors(x, y);
  },
);

/** `(x * c1) * c2` as `x * (c1 * c2)` when both are scalars. */
function joinFactors(x: Tensor, factor: Tensor): Tensor | undefined {
  const outer = constantValue(factor);
  const [base, inner] = x.node.inputs;
  if (outer === undefined || factor.shape.length > 0 || x.node.operator !== mulOp.definition) return undefined;
  const value = inner && inner.shape.length === 0 ? constantValue(inner) : undefined;
  return value === undefined ? undefined : scale(base as Tensor, value * outer);
}

const divOp = binary(
  "div",
  "Div",
  ({ grad, inputs: [, b], outputs: [quotient], wants }) => [
    wants(0) ? div(grad, b as Tensor) : undefined,
    wants(1) ? scale(div(mul(grad, quotient as Tensor), b as Tensor), -1) : undefined,
  ],
  ([a, b]) => {
    const [x, y] = [a as Tensor, b as Tensor];
    if (constantValue(y) === 1) return withoutNeutral("div", x, y);
    if (isFloat(x.dtype)) return foldConstants("div", [x, y], (left, right) => left / right);
    // Integers are divided towards zero, and a division by zero is left to the engine.
    return constantValue(y) === 0 ? undefined : foldConstants("div", [x, y], (left, right) => Math.trunc(left / right));
  },
);

/** The sum of two tensors, broadcast. ONNX: `Add` (opset 14). @throws {ShapeError} when they do not broadcast. */
export function add(a: Tensor, b: Tensor): Tensor {
  return addOp([a, b], {});
}

/** The difference of two tensors, broadcast. ONNX: `Sub` (opset 14). @throws {ShapeError} when they do not broadcast. */
export function sub(a: Tensor, b: Tensor): Tensor {
  return subOp([a, b], {});
}

/** The product of two tensors, broadcast. ONNX: `Mul` (opset 14). @throws {ShapeError} when they do not broadcast. */
export function mul(a: Tensor, b: Tensor): Tensor {
  return mulOp([a, b], {});
}

/** The quotient of two tensors, broadcast. ONNX: `Div` (opset 14). @throws {ShapeError} when they do not broadcast. */
export function div(a: Tensor, b: Tensor): Tensor {
  return divOp([a, b], {});
}

/** A tensor times a number. ONNX: `Mul` (opset 14). */
export function scale(x: Tensor, factor: number): Tensor {
  return mul(x, full(x.dtype, [], factor));
}

/** A tensor plus a number. ONNX: `Add` (opset 14). */
export function addScalar(x: Tensor, value: number): Tensor {
  return add(x, full(x.dtype, [], value));
}

/** Matrix products: batched with optional transposition and a factor, and linear layers. */
import { ShapeError, verbatim } from "../../errors.ts";
import { formatType } from "../../util/tensor.ts";
import { broadcastShapes, type Dim, product } from "../dims.ts";
import { defineOp, type LowerContext, type LoweredNode, type Node, type Tensor, type TensorType } from "../graph.ts";
import { unbroadcast } from "./broadcast.ts";
import { columnSum } from "./column-sum.ts";

/** How matmul reads its inputs, and what it multiplies the product by. */
export interface MatmulOptions {
  /** Whether the last two axes of `a` are swapped first. */
  readonly transA?: boolean;
  /** Whether the last two axes of `b` are swapped first. */
  readonly transB?: boolean;
  /** A factor on the product; 1 when left out. */
  readonly alpha?: number;
}

function matrixDims({ shape }: TensorType, transposed: boolean): readonly [Dim, Dim] {
  const [rows, columns] = shape.slice(-2) as [Dim, Dim];
  return transposed ? [columns, rows] : [rows, columns];
}

function mismatch(where: string, expected: string, a: TensorType, b: TensorType): ShapeError {
  const got = verbatim(`${formatType(a.dtype, a.shape)} and ${formatType(b.dtype, b.shape)}`);
  return new ShapeError({ where, expected, got });
}

const matmulOp = defineOp<Required<MatmulOptions>>({
  name: "matmul",
  infer: ([left, right], { transA, transB }) => {
    const [a, b] = [left as TensorType, right as TensorType];
    if (a.shape.length < 2 || b.shape.length < 2) throw mismatch("matmul", "tensors of rank 2 or more", a, b);
    if (a.dtype !== b.dtype) throw mismatch("matmul", "two tensors of one dtype", a, b);
    const [rows, inner] = matrixDims(a, transA);
    const [innerB, columns] = matrixDims(b, transB);
    if (inner !== innerB) throw mismatch("matmul", `equal inner axes (${inner})`, a, b);
    const batch = broadcastShapes("matmul: batch axes", a.shape.slice(0, -2), b.shape.slice(0, -2));
    return { dtype: a.dtype, shape: [...batch, rows, columns] };
  },
  vjp: ({ grad, inputs: [left, right], attributes: { transA, transB, alpha }, wants }) => {
    const [a, b] = [left as Tensor, right as Tensor];
    const forA = () =>
      transA ? matmul(b, grad, { transA: transB, transB: true, alpha }) : matmul(grad, b, { transB: !transB, alpha });
    const forB = () =>
      transB ? matmul(grad, a, { transA: true, transB: transA, alpha }) : matmul(a, grad, { transA: !transA, alpha });
    return [wants(0) ? unbroadcast(forA(), a.shape) : undefined, wants(1) ? unbroadcast(forB(), b.shape) : undefined];
  },
  lower: lowerMatmul,
  flops: ([a], [y], { transA }) =>
    2 * Number(product((y as TensorType).shape)) * Number(matrixDims(a as TensorType, transA)[1]),
});

function lowerMatmul({
  attributes,
  names,
  inputs,
  emit,
  scalar,
  target,
}: LowerContext<Required<MatmulOptions>>): LoweredNode {
  const { transA, transB, alpha } = attributes;
  if (!transA && !transB && alpha === 1) return { opType: "MatMul" };
  if (target.contrib) {
    return {
      opType: "FusedMatMul",
      domain: "com.microsoft",
      attributes: { transA: { int: Number(transA) }, transB: { int: Number(transB) }, alpha: { float: alpha } },
    };
  }
  const operands = [transA, transB].map((transposed, i) => {
    const rank = (inputs[i] as Tensor).shape.length;
    const perm = Array.from({ length: rank }, (_, axis) => (axis < rank - 2 ? axis : 2 * rank - 3 - axis));
    return transposed
      ? emit({ opType: "Transpose", inputs: [names[i] as string], attributes: { perm: { ints: perm } } })
      : (names[i] as string);
  });
  if (alpha === 1) return { opType: "MatMul", inputs: operands };
  return { opType: "Mul", inputs: [emit({ opType: "MatMul", inputs: operands }), scalar("float32", alpha)] };
}

/**
 * The matrix product over the last two axes, broadcast over those before them.
 * @param a - float32 [..., rows, inner].
 * @param b - float32 [..., inner, columns].
 * @returns float32 [..., rows, columns], times `alpha`.
 * @throws {ShapeError} when the inner axes or the dtypes differ.
 * ONNX: `MatMul` (opset 13) or `FusedMatMul` (com.microsoft).
 */
export function matmul(
  a: Tensor,
  b: Tensor,
  { transA = false, transB = false, alpha = 1 }: MatmulOptions = {},
): Tensor {
  return matmulOp([a, b], { transA, transB, alpha });
}

const gemmOp = defineOp<{ readonly transA: boolean; readonly transB: boolean }>({
  name: "gemm",
  infer: ([left, right, bias], { transA, transB }) => {
    const [a, b] = [left as TensorType, right as TensorType];
    const matrices = a.shape.length === 2 && b.shape.length === 2;
    if (!matrices || a.dtype !== b.dtype) throw mismatch("gemm", "two matrices of one dtype", a, b);
    const [rows, inner] = matrixDims(a, transA);
    const [innerB, columns] = matrixDims(b, transB);
    if (inner !== innerB) throw mismatch("gemm", `equal inner axes (${inner})`, a, b);
    if (bias && !(bias.shape.length === 1 && bias.shape[0] === columns))
      throw mismatch("gemm: bias", `a bias of [${columns}]`, b, bias);
    return { dtype: a.dtype, shape: [rows, columns] };
  },
  vjp: ({ grad, inputs: [left, right, bias], attributes: { transA, transB }, wants }) => {
    const [a, b] = [left as Tensor, right as Tensor];
    const forA = () => (transA ? gemm(b, grad, undefined, transB, true) : gemm(grad, b, undefined, false, !transB));
    const forB = () => (transB ? gemm(grad, a, undefined, true, transA) : gemm(a, grad, undefined, !transA, false));
    return [
      wants(0) ? forA() : undefined,
      wants(1) ? forB() : undefined,
      bias && wants(2) ? columnSum(grad) : undefined,
    ];
  },
  lower: ({ attributes: { transA, transB } }) => ({
    opType: "Gemm",
    attributes: { transA: { int: Number(transA) }, transB: { int: Number(transB) } },
  }),
  flops: ([a], [y], { transA }) =>
    2 * Number(product((y as TensorType).shape)) * Number(matrixDims(a as TensorType, transA)[1]),
});

/**
 * The product of two matrices, each optionally transposed, plus a row of biases.
 * @param a - float32 [rows, inner], or [inner, rows] with `transA`.
 * @param b - float32 [inner, columns], or [columns, inner] with `transB`.
 * @param bias - float32 [columns].
 * @returns float32 [rows, columns].
 * @throws {ShapeError} when the axes do not fit.
 * ONNX: `Gemm` (opset 13).
 */
export function gemm(a: Tensor, b: Tensor, bias?: Tensor, transA = false, transB = false): Tensor {
  return gemmOp(bias ? [a, b, bias] : [a, b], { transA, transB });
}

/**
 * A linear layer as PyTorch stores it: x Wᵀ + b.
 * @param x - float32 [tokens, in].
 * @param weight - float32 [out, in].
 * @param bias - float32 [out].
 * @returns float32 [tokens, out].
 * @throws {ShapeError} when the axes do not fit.
 * ONNX: `Gemm` (opset 13).
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  return gemm(x, weight, bias, false, true);
}

/** Whether a node is a linear layer with a bias: its inputs are those of `linear`. */
export function isLinear({ operator, inputs, attributes }: Node): boolean {
  return operator === gemmOp.definition && inputs.length === 3 && attributes.transB && !attributes.transA;
}

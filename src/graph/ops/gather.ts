/** Rows of a table by index, and their gradient: rows added into a table. */
import { ShapeError, verbatim } from "../../errors.ts";
import { formatType } from "../../util/tensor.ts";
import { product, sameShape } from "../dims.ts";
import { defineOp, type Node, type Tensor, type TensorType } from "../graph.ts";
import { add } from "./arithmetic.ts";
import { constant, constantValue, full } from "./constant.ts";
import { cast, equal } from "./logic.ts";
import { gemm } from "./matmul.ts";
import { reshape } from "./reshape.ts";

/** Tables of at most so many rows get their gradient as a product with one-hot rows: faster, and summed in a fixed order. */
const MAX_ONE_HOT_ROWS = 16;

function expectTable(where: string, table: TensorType, indices: TensorType): void {
  const integers = indices.dtype === "int32" || indices.dtype === "int64";
  if (table.shape.length === 2 && indices.shape.length === 1 && integers) return;
  throw new ShapeError({
    where,
    expected: "a table [rows, width] and int32 or int64 indices [n]",
    got: verbatim(`${formatType(table.dtype, table.shape)} and ${formatType(indices.dtype, indices.shape)}`),
  });
}

const gatherOp = defineOp<object>({
  name: "gather",
  infer: ([table, indices]) => {
    expectTable("gather", table as TensorType, indices as TensorType);
    const { dtype, shape } = table as TensorType;
    return { dtype, shape: [(indices as TensorType).shape[0] as number, shape[1] as number] };
  },
  vjp: ({ grad, inputs: [table, indices] }) => {
    const { shape } = table as Tensor;
    if (Number(shape[0]) <= MAX_ONE_HOT_ROWS)
      return [gemm(oneHot(indices as Tensor, Number(shape[0])), grad, undefined, true)];
    return [scatterAdd(full("float32", shape, 0), indices as Tensor, grad)];
  },
  lower: () => ({ opType: "Gather", attributes: { axis: { int: 0 } } }),
  flops: () => 0,
  access: "part",
});

/**
 * Rows of a table.
 * @param table - float32 [rows, width].
 * @param indices - int32 or int64 [n], in 0 .. rows - 1.
 * @returns float32 [n, width].
 * @throws {ShapeError} when table or indices have other axes.
 * ONNX: `Gather` (opset 13).
 */
export function gather(table: Tensor, indices: Tensor): Tensor {
  return gatherOp([table, indices], {});
}

/** Whether a node takes rows of a table: its inputs are those of `gather`. */
export function isGather({ operator }: Node): boolean {
  return operator === gatherOp.definition;
}

/**
 * Rows of zeros with a one at each index.
 * @param indices - int32 or int64 [n].
 * @returns float32 [n, depth].
 * @throws {ShapeError} when the indices have other axes.
 * ONNX: `Equal` and `Cast`.
 */
export function oneHot(indices: Tensor, depth: number): Tensor {
  if (indices.shape.length !== 1) {
    throw new ShapeError({
      where: "oneHot",
      expected: "int32 or int64 indices [n]",
      got: verbatim(formatType(indices.dtype, indices.shape)),
    });
  }
  const columns = constant(
    indices.dtype,
    [1, depth],
    Array.from({ length: depth }, (_, i) => i),
  );
  return cast(equal(reshape(indices, [indices.shape[0] as number, 1]), columns), "float32");
}

const scatterAddOp = defineOp<object>({
  name: "scatterAdd",
  infer: ([table, indices, updates]) => {
    expectTable("scatterAdd", table as TensorType, indices as TensorType);
    const { dtype, shape } = table as TensorType;
    const rows = updates as TensorType;
    const expected = [(indices as TensorType).shape[0] as number, shape[1] as number];
    if (rows.dtype !== dtype || !sameShape(rows.shape, expected)) {
      throw new ShapeError({
        where: "scatterAdd: updates",
        expected: formatType(dtype, expected),
        got: verbatim(formatType(rows.dtype, rows.shape)),
      });
    }
    return { dtype, shape };
  },
  vjp: ({ grad, inputs: [, indices], wants }) => [
    wants(0) ? grad : undefined,
    undefined,
    wants(2) ? gather(grad, indices as Tensor) : undefined,
  ],
  // ScatterElements, never ScatterND: with duplicate indices the latter's additions race in ONNX Runtime.
  lower: ({ names: [table, indices, updates], inputs, emit, int64s, shape }) => {
    const column = emit({ opType: "Unsqueeze", inputs: [indices as string, int64s([1])] });
    const everywhere = emit({ opType: "Expand", inputs: [column, shape((inputs[2] as Tensor).shape)] });
    return {
      opType: "ScatterElements",
      inputs: [table as string, everywhere, updates as string],
      attributes: { axis: { int: 0 }, reduction: { string: "add" } },
    };
  },
  // Onto an array that is there anyway, without one of zeros.
  addTo: ([table, indices, updates], sum) => {
    const base = constantValue(table as Tensor) === 0 ? sum : add(sum, table as Tensor);
    return scatterAdd(base, indices as Tensor, updates as Tensor);
  },
  flops: (inputs) => Number(product((inputs[2] as TensorType).shape)),
});

/**
 * A table with rows added at indices; the same index may come several times.
 * @param table - float32 [rows, width].
 * @param indices - int32 or int64 [n].
 * @param updates - float32 [n, width].
 * @returns float32 [rows, width].
 * @throws {ShapeError} when the axes do not fit.
 * ONNX: `ScatterElements` with reduction add (opset 16).
 */
export function scatterAdd(table: Tensor, indices: Tensor, updates: Tensor): Tensor {
  return scatterAddOp([table, indices, updates], {});
}

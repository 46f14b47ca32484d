/** Element types: ONNX's numbers for them, and which hold fractions. */
import type { DType } from "../util/tensor.ts";

/** The number of each dtype in ONNX files (TensorProto.DataType of onnx.proto). */
export const onnxDataType: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};

/** Whether a dtype holds fractions. */
export function isFloat(dtype: DType): boolean {
  return dtype.includes("float");
}

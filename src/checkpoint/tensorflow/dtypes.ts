/** TensorFlow's numbers of dtypes. Source: DataType of tensorflow/core/framework/types.proto. */
import type { DType } from "../../util/tensor.ts";

const DTYPES: ReadonlyMap<number, DType> = new Map([
  [1, "float32"],
  [2, "float64"],
  [3, "int32"],
  [4, "uint8"],
  [6, "int8"],
  [9, "int64"],
  [10, "bool"],
  [14, "bfloat16"],
  [19, "float16"],
]);

const OTHERS: ReadonlyMap<number, string> = new Map([
  [5, "int16"],
  [7, "string"],
  [8, "complex64"],
  [17, "uint16"],
  [18, "complex128"],
  [20, "resource"],
  [21, "variant"],
  [22, "uint32"],
  [23, "uint64"],
]);

const NUMBERS = new Map([...DTYPES].map(([number, dtype]) => [dtype, number]));

/** The dtype of a number, or undefined for one that tensors here cannot have. */
export function dtypeOfNumber(number: number): DType | undefined {
  return DTYPES.get(number);
}

/** For people, also of those that are not read. */
export function nameOfNumber(number: number): string {
  return DTYPES.get(number) ?? OTHERS.get(number) ?? `dtype ${number}`;
}

/** The number of a dtype; TensorFlow has all of them. */
export function numberOfDtype(dtype: DType): number {
  return NUMBERS.get(dtype) as number;
}

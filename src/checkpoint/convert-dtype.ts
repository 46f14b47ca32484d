/** Tensors read in another precision than their file's. */
import { toFloat32, toHalf } from "../util/half.ts";
import type { DType, HostTensor } from "../util/tensor.ts";
import type { LazyTensor, LazyTensors } from "./format.ts";

/** The precisions that weights can be stored in. */
export type WeightDType = "float32" | "float16" | "bfloat16";

const FLOATS: readonly DType[] = ["float64", "float32", "float16", "bfloat16"];

/**
 * Tensors of fractions in another precision, rounded to the nearest value, ties to even; integers stay as they are.
 * @param onOverflow - told when a tensor has been read some of whose finite values became infinite.
 */
export function convertDType(
  tensors: LazyTensors,
  dtype: WeightDType,
  onOverflow: (name: string, count: number) => void = () => undefined,
): LazyTensors {
  const convert = ([name, tensor]: readonly [string, LazyTensor]): [string, LazyTensor] => {
    if (tensor.dtype === dtype || !FLOATS.includes(tensor.dtype)) return [name, tensor];
    return [name, { dtype, shape: tensor.shape, read: () => converted(tensor.read(), dtype, name, onOverflow) }];
  };
  return new Map([...tensors].map(convert));
}

function converted(
  tensor: HostTensor,
  dtype: WeightDType,
  name: string,
  onOverflow: (name: string, count: number) => void,
): HostTensor {
  if (dtype === "float32") {
    const single = toFloat32(tensor);
    if (tensor.dtype === "float64") tell(countOverflows(tensor.data as Float64Array, single.data));
    return single;
  }
  const half = toHalf(tensor, dtype);
  tell(half.overflows);
  return half.tensor;

  function tell(count: number): void {
    if (count > 0) onOverflow(name, count);
  }
}

function countOverflows(before: Float64Array, after: Float32Array): number {
  return before.reduce(
    (count, value, i) => count + Number(Number.isFinite(value) && !Number.isFinite(after[i] as number)),
    0,
  );
}

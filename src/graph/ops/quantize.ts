/**
 * Eight-bit arithmetic for inference: rounding to 256 levels and back, and linear layers over integers.
 *
 * A value x is stored as q with x = scale * (q - zeroPoint): activations as uint8 with one scale for the tensor, weights as
 * int8 around 0 with one scale for each output. Source: Jacob et al. 2018, section 2.1. No operator here has a gradient.
 */
import { ShapeError, verbatim } from "../../errors.ts";
import { formatType } from "../../util/tensor.ts";
import { onnxDataType } from "../data-type.ts";
import { product } from "../dims.ts";
import {
  defineOp,
  expectShape,
  type LowerContext,
  type LoweredNode,
  type OperatorDefinition,
  type Tensor,
  type TensorType,
} from "../graph.ts";

/** How a tensor was rounded: x = scale * (q - zeroPoint). */
export interface QuantizedTensor {
  /** uint8, any shape. */
  readonly values: Tensor;
  /** float32 []. */
  readonly scale: Tensor;
  /** uint8 []. */
  readonly zeroPoint: Tensor;
}

const quantizeLinearOp = defineOp<object>({
  name: "quantizeLinear",
  infer: ([x]) => ({ dtype: "uint8", shape: (x as TensorType).shape }),
  lower: () => ({ opType: "QuantizeLinear" }),
});

/**
 * A tensor rounded to 256 levels, those outside of the range to its ends.
 * @param x - float32, any shape.
 * @param scale - float32 [], the distance of two levels; positive.
 * @param zeroPoint - uint8 [], the level of 0.
 * @throws {ShapeError} when scale or zero point are no scalars.
 * ONNX: `QuantizeLinear` (opset 13).
 */
export function quantizeLinear(x: Tensor, scale: Tensor, zeroPoint: Tensor): QuantizedTensor {
  expectShape("quantizeLinear: scale", scale, []);
  expectShape("quantizeLinear: zeroPoint", zeroPoint, []);
  return { values: quantizeLinearOp([x, scale, zeroPoint], {}), scale, zeroPoint };
}

const dequantizeLinearOp = defineOp<object>({
  name: "dequantizeLinear",
  infer: ([values]) => ({ dtype: "float32", shape: (values as TensorType).shape }),
  lower: () => ({ opType: "DequantizeLinear" }),
});

/** The values that a rounded tensor stands for; float32. ONNX: `DequantizeLinear` (opset 13). */
export function dequantizeLinear({ values, scale, zeroPoint }: QuantizedTensor): Tensor {
  return dequantizeLinearOp([values, scale, zeroPoint], {});
}

const dynamicQuantizeLinearOp = defineOp<object>({
  name: "dynamicQuantizeLinear",
  infer: ([x]) => [
    { dtype: "uint8", shape: (x as TensorType).shape },
    { dtype: "float32", shape: [] },
    { dtype: "uint8", shape: [] },
  ],
  lower: () => ({ opType: "DynamicQuantizeLinear" }),
});

/**
 * A tensor rounded to 256 levels between its own smallest and largest value, 0 among them.
 * @param x - float32, any shape.
 * ONNX: `DynamicQuantizeLinear` (opset 11).
 */
export function dynamicQuantizeLinear(x: Tensor): QuantizedTensor {
  const [values, scale, zeroPoint] = dynamicQuantizeLinearOp.all([x], {}) as [Tensor, Tensor, Tensor];
  return { values, scale, zeroPoint };
}

/** The weights of a linear layer as integers. */
export interface QuantizedMatrix {
  /** int8 [out, in]. */
  readonly values: Tensor;
  /** float32 [out]. */
  readonly scale: Tensor;
}

function inferLinear(name: string, [x, , , weight, scale, bias]: readonly TensorType[]): TensorType {
  const [values, matrix] = [x as TensorType, weight as TensorType];
  const [out, width] = matrix.shape;
  const isLinear =
    values.dtype === "uint8" && matrix.dtype === "int8" && values.shape.length === 2 && values.shape[1] === width;
  if (!isLinear) {
    const got = verbatim([values, matrix].map(({ dtype, shape }) => formatType(dtype, shape)).join(" and "));
    throw new ShapeError({ where: name, expected: "uint8[tokens, in] and int8[out, in]", got });
  }
  expectShape(`${name}: scale`, scale as TensorType, [out as number]);
  expectShape(`${name}: bias`, bias as TensorType, [out as number]);
  return { dtype: "float32", shape: [values.shape[0] as number, out as number] };
}

const flops: OperatorDefinition<object>["flops"] = ([, , , weight], [y]) =>
  2 * Number(product((y as TensorType).shape)) * Number((weight as TensorType).shape[1]);

/** Of the input's levels, scale and zero point, the weight and its scale, and the bias. */
type SixNames = readonly [string, string, string, string, string, string];

const staticLinearOp = defineOp<object>({
  name: "quantizedLinear",
  infer: (inputs) => inferLinear("quantizedLinear", inputs),
  lower: lowerStatic,
  flops,
});

/**
 * Gemm between DequantizeLinear nodes, which engines take together: ONNX Runtime makes QGemm of them where the bias is an integer
 * and all zero points are written out; MatMul and Add it would compute in float.
 */
function lowerStatic({ names, inputs, emit, constant }: LowerContext<object>): LoweredNode {
  const [values, scale, zeroPoint, weight, weightScale, bias] = names as SixNames;
  const out = (inputs[3] as Tensor).shape[0] as number;
  const zeros = (dtype: "int8" | "int32") => constant(dtype, [out], new Array(out).fill(0));
  const byRow = { axis: { int: 0 } };
  const biasScale = emit({ opType: "Mul", inputs: [scale, weightScale] });
  const operands = [
    emit({ opType: "DequantizeLinear", inputs: [values, scale, zeroPoint] }),
    emit({ opType: "DequantizeLinear", inputs: [weight, weightScale, zeros("int8")], attributes: byRow }),
    emit({ opType: "DequantizeLinear", inputs: [bias, biasScale, zeros("int32")], attributes: byRow }),
  ];
  return { opType: "Gemm", inputs: operands, attributes: { transB: { int: 1 } } };
}

/**
 * A linear layer over integers, whose input was rounded on a fixed scale.
 * @param x - uint8 [tokens, in].
 * @param bias - int32 [out], in units of the input's scale times the weights'.
 * @returns float32 [tokens, out].
 * @throws {ShapeError} when the axes or dtypes do not fit.
 * ONNX: `Gemm` between `DequantizeLinear` (opset 13).
 */
export function quantizedLinear(x: QuantizedTensor, weight: QuantizedMatrix, bias: Tensor): Tensor {
  return staticLinearOp([x.values, x.scale, x.zeroPoint, weight.values, weight.scale, bias], {});
}

const dynamicLinearOp = defineOp<object>({
  name: "dynamicallyQuantizedLinear",
  infer: (inputs) => inferLinear("dynamicallyQuantizedLinear", inputs),
  lower: lowerDynamic,
  flops,
});

/** MatMulIntegerToFloat, or the parts that ONNX Runtime makes it from. */
function lowerDynamic({ names, target, emit }: LowerContext<object>): LoweredNode {
  const [values, scale, zeroPoint, weight, weightScale, bias] = names as SixNames;
  const turned = emit({ opType: "Transpose", inputs: [weight], attributes: { perm: { ints: [1, 0] } } });
  if (target.contrib) {
    const inputs = [values, turned, scale, weightScale, zeroPoint, "", bias];
    return { opType: "MatMulIntegerToFloat", domain: "com.microsoft", inputs };
  }
  const sums = emit({ opType: "MatMulInteger", inputs: [values, turned, zeroPoint] });
  const floats = emit({ opType: "Cast", inputs: [sums], attributes: { to: { int: onnxDataType.float32 } } });
  const factor = emit({ opType: "Mul", inputs: [scale, weightScale] });
  return { opType: "Add", inputs: [emit({ opType: "Mul", inputs: [floats, factor] }), bias] };
}

/**
 * A linear layer over integers, whose input was rounded on a scale of the moment.
 * @param x - uint8 [tokens, in].
 * @param bias - float32 [out].
 * @returns float32 [tokens, out].
 * @throws {ShapeError} when the axes or dtypes do not fit.
 * ONNX: `MatMulIntegerToFloat` (com.microsoft), or `MatMulInteger` (opset 10) and arithmetic.
 */
export function dynamicallyQuantizedLinear(x: QuantizedTensor, weight: QuantizedMatrix, bias: Tensor): Tensor {
  return dynamicLinearOp([x.values, x.scale, x.zeroPoint, weight.values, weight.scale, bias], {});
}

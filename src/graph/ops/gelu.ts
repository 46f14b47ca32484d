/** The Gaussian error linear unit, exact and in its tanh approximation. */
import { product } from "../dims.ts";
import { defineOp, type LowerContext, type LoweredNode, type Tensor, type TensorType } from "../graph.ts";
import { after } from "./after.ts";
import { add, addScalar, mul, scale } from "./arithmetic.ts";
import { erf } from "./erf.ts";
import { exp } from "./exp.ts";
import { tanh } from "./tanh.ts";

const SQRT_HALF = Math.SQRT1_2;
const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;
const FLOPS_PER_ELEMENT = 8;

const flops = ([x]: readonly TensorType[]) => FLOPS_PER_ELEMENT * Number(product((x as TensorType).shape));

const geluOp = defineOp<object>({
  name: "gelu",
  infer: ([x]) => x as Tensor,
  rematerialize: ([x], _, earlier) => gelu(after(x as Tensor, earlier)),
  // d gelu(x) / dx = cdf(x) + x * pdf(x), of the normal distribution
  vjp: ({ grad, inputs: [x] }) => {
    const source = x as Tensor;
    const pdf = exp(mul(source, scale(source, -0.5)));
    const slope = mul(source, scale(pdf, 1 / Math.sqrt(2 * Math.PI)));
    const cdf = scale(addScalar(erf(scale(source, SQRT_HALF)), 1), 0.5);
    return [mul(grad, add(slope, cdf))];
  },
  lower: (context) => lowerGelu(context, "Gelu", "none", geluFromErf),
  flops,
});

const geluTanhOp = defineOp<object>({
  name: "geluTanh",
  infer: ([x]) => x as Tensor,
  rematerialize: ([x], _, earlier) => geluTanh(after(x as Tensor, earlier)),
  // y = x * (1 + t) / 2 with t = tanh(u); dy/dx = (1 + t) / 2 + x * (1 - t^2) * u' / 2
  vjp: ({ grad, inputs: [x] }) => {
    const source = x as Tensor;
    const square = mul(source, source);
    const inner = mul(source, scale(addScalar(scale(square, CUBIC), 1), SQRT_2_OVER_PI));
    const t = tanh(inner);
    const innerSlope = scale(addScalar(scale(square, 3 * CUBIC), 1), SQRT_2_OVER_PI / 2);
    const slope = mul(mul(source, innerSlope), addScalar(scale(mul(t, t), -1), 1));
    return [mul(grad, add(slope, scale(addScalar(t, 1), 0.5)))];
  },
  lower: (context) => lowerGelu(context, "FastGelu", "tanh", geluFromTanh),
  flops,
});

/** ONNX has gelu among its operators since version 20. */
const GELU_OPSET = 20;

/** ONNX Runtime's own operator where it may be used, else ONNX's, else its parts. */
function lowerGelu(
  context: LowerContext<object>,
  contribType: string,
  approximate: "none" | "tanh",
  fromParts: (context: LowerContext<object>) => LoweredNode,
): LoweredNode {
  const { contrib, opset } = context.target;
  if (contrib) return { opType: contribType, domain: "com.microsoft" };
  return opset >= GELU_OPSET
    ? { opType: "Gelu", attributes: { approximate: { string: approximate } } }
    : fromParts(context);
}

/** x * (1 + erf(x / sqrt 2)) / 2 from ONNX's own operators. */
function geluFromErf({ names: [x], emit, scalar }: LowerContext<object>): LoweredNode {
  const mulBy = (name: string, value: number) => emit({ opType: "Mul", inputs: [name, scalar("float32", value)] });
  const erfOfX = emit({ opType: "Erf", inputs: [mulBy(x as string, SQRT_HALF)] });
  const sum = emit({ opType: "Add", inputs: [erfOfX, scalar("float32", 1)] });
  return { opType: "Mul", inputs: [mulBy(x as string, 0.5), sum] };
}

/** x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2 from ONNX's own operators. */
function geluFromTanh({ names: [x], emit, scalar }: LowerContext<object>): LoweredNode {
  const mulBy = (name: string, value: number) => emit({ opType: "Mul", inputs: [name, scalar("float32", value)] });
  const cube = emit({
    opType: "Mul",
    inputs: [emit({ opType: "Mul", inputs: [x as string, x as string] }), x as string],
  });
  const inner = mulBy(emit({ opType: "Add", inputs: [x as string, mulBy(cube, CUBIC)] }), SQRT_2_OVER_PI);
  const sum = emit({ opType: "Add", inputs: [emit({ opType: "Tanh", inputs: [inner] }), scalar("float32", 1)] });
  return { opType: "Mul", inputs: [mulBy(x as string, 0.5), sum] };
}

/**
 * x times the normal distribution's cumulative probability at x: x * (1 + erf(x / sqrt 2)) / 2.
 * @param x - float32, any shape.
 * @returns float32, the shape of `x`.
 * ONNX: `Gelu` (com.microsoft, or opset 20) or `Erf` and arithmetic. Source: Hendrycks and Gimpel 2016, section 2.
 */
export function gelu(x: Tensor): Tensor {
  return geluOp([x], {});
}

/**
 * The tanh approximation of gelu, which Google's BERT uses; `gelu_new` in configs.
 * @param x - float32, any shape.
 * @returns float32, the shape of `x`; within 1e-3 of the exact form.
 * ONNX: `FastGelu` (com.microsoft), `Gelu` (opset 20) or `Tanh` and arithmetic. Source: modeling.py (gelu) of google-research/bert.
 */
export function geluTanh(x: Tensor): Tensor {
  return geluTanhOp([x], {});
}

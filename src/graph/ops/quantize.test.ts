/** Eight-bit linear layers against plain loops over the same integers, in ONNX Runtime's own form and in ONNX's. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import {
  checkOperator,
  evaluate,
  evaluatePortable,
  expectClose,
  expectShapeError,
  numbers,
  randomTensor,
  tabulate,
} from "../../../test/graph-checks.ts";
import { lowerGraph } from "../../onnx/lower.ts";
import { serializeModel } from "../../onnx/serialize.ts";
import { hostTensor } from "../../util/tensor.ts";
import { gradients } from "../autodiff.ts";
import { buildGraph, input, type Tensor } from "../graph.ts";
import { reduceSum } from "./broadcast.ts";
import { constant, full } from "./constant.ts";
import {
  dequantizeLinear,
  dynamicallyQuantizedLinear,
  dynamicQuantizeLinear,
  quantizedLinear,
  quantizeLinear,
} from "./quantize.ts";

const [TOKENS, IN, OUT] = [5, 7, 3];
const SCALE = 0.03125; // a power of two, so that levels are exact
const ZERO_POINT = 100;

const x = randomTensor(1, [TOKENS, IN]);
const weights = Array.from({ length: OUT * IN }, (_, i) => ((i * 37) % 255) - 127);
const rowScales = [0.01, 0.02, 0.005];
const floatBias = [1.5, -2, 0.25];

/** Rounds ties to even, as ONNX does. */
function level(value: number, scale: number, zeroPoint: number): number {
  const exact = value / scale;
  const down = Math.floor(exact);
  const isTie = exact - down === 0.5;
  const rounded = isTie ? (down % 2 === 0 ? down : down + 1) : Math.round(exact);
  return Math.max(0, Math.min(255, rounded + zeroPoint));
}

const rounded = (values: Tensor) => quantizeLinear(values, full("float32", [], SCALE), full("uint8", [], ZERO_POINT));
const matrix = () => ({
  values: constant("int8", [OUT, IN], weights),
  scale: constant("float32", [OUT], rowScales),
});

/** The layer over the levels of x, with a bias added in float. */
function layer(scale: number, zeroPoint: number, bias: (row: number) => number): number[] {
  return tabulate([TOKENS, OUT], (token = 0, row = 0) => {
    let sum = 0;
    for (let at = 0; at < IN; at++) {
      const q = level(x.data[token * IN + at] as number, scale, zeroPoint);
      sum += (q - zeroPoint) * (weights[row * IN + at] as number);
    }
    return sum * scale * (rowScales[row] as number) + bias(row);
  });
}

describe("quantizeLinear", () => {
  test("and back: the nearest level, the range's ends outside of it", async () => {
    const values = hostTensor("float32", [6], Float32Array.of(0, SCALE, 0.4 * SCALE, -1000, 1000, -3.6 * SCALE));
    await checkOperator({
      build: (tensor) => dequantizeLinear(rounded(tensor)),
      inputs: [values],
      shape: [6],
      expected: [0, SCALE, 0, -ZERO_POINT * SCALE, (255 - ZERO_POINT) * SCALE, -4 * SCALE],
      differentiable: false,
    });
  });

  test("a scale of several numbers is refused", () => {
    const build = () => quantizeLinear(input("x", "float32", [2]), input("s", "float32", [2]), full("uint8", [], 0));
    expectShapeError(build, "quantizeLinear: scale", "float32[]", "float32[2]");
  });
});

test("dynamicQuantizeLinear lays the levels over the tensor's own range and 0", async () => {
  const values = hostTensor("float32", [4], Float32Array.of(1, 2, 5.1, 0.5));
  const { values: q, scale, zeroPoint } = dynamicQuantizeLinear(input("x", "float32", [4]));
  const results = await evaluate({ q, scale, zeroPoint }, { x: values });
  expect(results["scale"]?.data[0]).toBeCloseTo(5.1 / 255, 7);
  expect(results["zeroPoint"]?.data[0]).toBe(0);
  expect(Array.from(results["q"]?.data as Uint8Array)).toEqual([50, 100, 255, 25]);
});

describe("quantizedLinear", () => {
  const units = floatBias.map((value, row) => Math.round(value / (SCALE * (rowScales[row] as number))));
  const build = (tensor: Tensor) => quantizedLinear(rounded(tensor), matrix(), constant("int32", [OUT], units));
  const expected = layer(SCALE, ZERO_POINT, (row) => (units[row] as number) * SCALE * (rowScales[row] as number));

  test("over integers", async () => {
    await checkOperator({ build, inputs: [x], shape: [TOKENS, OUT], expected, differentiable: false });
  });

  test("in ONNX's own operators", async () => {
    const results = await evaluatePortable({ y: build(input("x", "float32", [TOKENS, IN])) }, { x });
    expectClose(results["y"] ?? [], expected, 1e-5);
  });

  test("weights of another width are refused", () => {
    expectShapeError(() => build(input("x", "float32", [TOKENS, IN + 1])), `uint8[${TOKENS}, ${IN + 1}]`, "int8[3, 7]");
  });

  test("a bias of another length is refused", () => {
    const short = constant("int32", [2], [1, 2]);
    expectShapeError(() => quantizedLinear(rounded(input("x", "float32", [TOKENS, IN])), matrix(), short), "bias");
  });

  test("it has no gradient", () => {
    const tensor = input("x", "float32", [TOKENS, IN]);
    expect(() => gradients(reduceSum(build(tensor)), [tensor])).toThrow(/quantizedLinear.*no|operator with a gradient/);
  });
});

describe("dynamicallyQuantizedLinear", () => {
  const [least, most] = [Math.min(0, ...x.data), Math.max(0, ...x.data)];
  const scale = Math.fround((most - least) / 255);
  const expected = layer(scale, Math.round(-least / scale), (row) => floatBias[row] as number);
  const build = (tensor: Tensor) =>
    dynamicallyQuantizedLinear(dynamicQuantizeLinear(tensor), matrix(), constant("float32", [OUT], floatBias));

  test("over integers", async () => {
    await checkOperator({ build, inputs: [x], shape: [TOKENS, OUT], expected, differentiable: false });
  });

  test("in ONNX's own operators", async () => {
    const results = await evaluatePortable({ y: build(input("x", "float32", [TOKENS, IN])) }, { x });
    expectClose(results["y"] ?? [], expected, 1e-5);
  });
});

test("ONNX Runtime computes with integers, not with floats made from them", async () => {
  const folder = mkdtempSync(join(tmpdir(), "zhbert-quantize-op-"));
  const optimized = join(folder, "optimized.onnx");
  const tensor = input("x", "float32", [TOKENS, IN]);
  const fixed = quantizedLinear(rounded(tensor), matrix(), constant("int32", [OUT], [1, 2, 3]));
  const moving = dynamicallyQuantizedLinear(
    dynamicQuantizeLinear(tensor),
    matrix(),
    constant("float32", [OUT], floatBias),
  );
  for (const contrib of [true, false]) {
    const { model } = serializeModel(lowerGraph(buildGraph({ fixed, moving }), { contrib }));
    const session = await ort.InferenceSession.create(model, {
      optimizedModelFilePath: optimized,
      logSeverityLevel: 3,
    });
    await session.release();
    const written = readFileSync(optimized, "latin1");
    expect(written).toContain("QGemm");
    expect(written).toMatch(/MatMulIntegerToFloat|DynamicQuantizeMatMul/);
  }
  rmSync(folder, { recursive: true });
});

test("sums of products beyond 16 bits are exact", async () => {
  const width = 64;
  const ones = hostTensor("float32", [1, width], new Float32Array(width).fill(255));
  const y = quantizedLinear(
    quantizeLinear(input("x", "float32", [1, width]), full("float32", [], 1), full("uint8", [], 0)),
    { values: constant("int8", [1, width], new Array(width).fill(127)), scale: constant("float32", [1], [1]) },
    constant("int32", [1], [0]),
  );
  const results = await evaluate({ y }, { x: ones });
  expect(numbers(results["y"])).toEqual([255 * 127 * width]);
});

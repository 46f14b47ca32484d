/** Losses and their gradients against torch 2.13.0 in double precision (torch.nn.functional; focal loss written out there). */
import { describe, expect, test } from "vitest";
import { evaluate, expectClose, expectShapeError, numbers } from "../../test/graph-checks.ts";
import { ArgumentError } from "../errors.ts";
import { gradients } from "../graph/autodiff.ts";
import { input, type Tensor } from "../graph/graph.ts";
import { constant, full } from "../graph/ops/constant.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { concat, slice } from "../graph/ops/slice.ts";
import { type HostTensor, hostTensor } from "../util/tensor.ts";
import {
  classLoss,
  expectPlainLoss,
  IGNORED_LABEL,
  labelsLoss,
  squareErrorLoss,
  symmetricKl,
  symmetricLabelsKl,
} from "./losses.ts";

const SCORES = hostTensor(
  "float32",
  [4, 3],
  Float32Array.of(1.5, -0.25, 0.75, 0.1, 2, -1, -0.5, 0.3, 0.9, 2.5, -1.5, 0),
);
const LABELS = hostTensor("int32", [4], Int32Array.of(0, 2, IGNORED_LABEL, 1));
const TARGETS = hostTensor("float32", [4, 3], Float32Array.of(1, 0, 1, 0, 0, 0, 1, 1, 1, 0, 1, 0));
const ROWS = hostTensor("float32", [4], Float32Array.of(1, 0.5, 3, 2));
const classWeights = [0.5, 2, 1.25];

const scores = input("scores", "float32", [4, 3]);
const labels = input("labels", "int32", [4]);
const targets = input("targets", "float32", [4, 3]);
const rows = input("rows", "float32", [4]);

const feeds: Record<string, HostTensor> = { scores: SCORES, labels: LABELS, targets: TARGETS, rows: ROWS };

/** Float32 against double precision: round-off of some ten operations. */
const TOLERANCE = 2e-6;

async function expectLoss(loss: Tensor, value: number, gradient: readonly number[], changed = feeds): Promise<void> {
  expect(loss.shape).toEqual([]);
  const [grad] = gradients(loss, [scores]);
  const results = await evaluate({ loss, grad: grad as Tensor }, { ...feeds, ...changed });
  expectClose(numbers(results["loss"]), [value], TOLERANCE);
  expectClose(numbers(results["grad"]), gradient, TOLERANCE);
}

describe("cross entropy", () => {
  const zeros = [0, 0, 0];
  test("plain, with an ignored label", () =>
    expectLoss(classLoss(scores, labels), 2.59196409, [
      -0.130839479,
      0.035188156,
      0.095651324,
      0.041569158,
      0.277927004,
      -0.319496163,
      ...zeros,
      0.302919975,
      -0.32778516,
      0.024865186,
    ]));

  test("class weights: the mean is over the weights of the labels", () =>
    expectLoss(classLoss(scores, labels, { classWeights }), 3.311412265, [
      -0.052335792,
      0.014075262,
      0.03826053,
      0.041569158,
      0.277927004,
      -0.319496163,
      ...zeros,
      0.48467196,
      -0.524456257,
      0.039784297,
    ]));

  test("label smoothing", () =>
    expectLoss(classLoss(scores, labels, { labelSmoothing: 0.1 }), 2.513075201, [
      -0.108617257,
      0.024077044,
      0.084540213,
      0.030458047,
      0.266815893,
      -0.29727394,
      ...zeros,
      0.291808864,
      -0.305562938,
      0.013754075,
    ]));

  test("class weights and label smoothing", () =>
    expectLoss(classLoss(scores, labels, { classWeights, labelSmoothing: 0.1 }), 3.186245225, [
      -0.031297272,
      -0.001591226,
      0.032888498,
      0.037124714,
      0.260149227,
      -0.29727394,
      ...zeros,
      0.462052317,
      -0.489233592,
      0.027181275,
    ]));

  test("row weights 1, 0.5, 3, 2 are rows repeated 2, 1, 6 and 4 times", () =>
    expectLoss(classLoss(scores, labels, { classWeights, labelSmoothing: 0.1 }, rows), 3.477849244, [
      -0.022900443,
      -0.001164312,
      0.024064755,
      0.013582212,
      0.095176546,
      -0.108758759,
      ...zeros,
      0.676174122,
      -0.715951597,
      0.039777475,
    ]));

  test.each([
    {
      focalGamma: 2,
      value: 2.320122642,
      gradient: [
        -0.051259161, 0.013785712, 0.037473449, 0.048714723, 0.325701493, -0.374416216, 0, 0, 0, 0.333532985,
        -0.360911039, 0.027378055,
      ],
    },
    {
      focalGamma: 0.5,
      value: 2.496255072,
      gradient: [
        -0.113589508, 0.030548924, 0.083040584, 0.043501273, 0.290844918, -0.334346191, 0, 0, 0, 0.310800541,
        -0.336312603, 0.025512062,
      ],
    },
  ])("focal, gamma $focalGamma", ({ focalGamma, value, gradient }) =>
    expectLoss(classLoss(scores, labels, { focalGamma }), value, gradient),
  );

  test("a label predicted with certainty costs nothing and has a finite gradient, focal or not", async () => {
    const certain = hostTensor("float32", [4, 3], Float32Array.of(200, 0, 0, 0, 0, 200, 0, 0, 0, 0, 200, 0));
    for (const focalGamma of [0, 0.5, 2]) {
      await expectLoss(classLoss(scores, labels, { focalGamma }), 0, new Array(12).fill(0), {
        ...feeds,
        scores: certain,
      });
    }
  });

  test.each([0, 0.1])("a class that no row has changes nothing, label smoothing %d", async (labelSmoothing) => {
    const widened = concat([scores, full("float32", [4, 1], 7)], 1);
    const present = constant("float32", [4, 4], [1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0]);
    const { narrow, wide } = await evaluate(
      {
        narrow: classLoss(scores, labels, { labelSmoothing }),
        wide: classLoss(widened, labels, { labelSmoothing }, undefined, present),
      },
      feeds,
    );
    expect(numbers(wide)[0]).toBeCloseTo(numbers(narrow)[0] as number, 5);
  });

  test("0 where every label is ignored or every row weighs 0", async () => {
    const none = hostTensor("int32", [4], new Int32Array(4).fill(IGNORED_LABEL));
    const zero = new Array(12).fill(0);
    await expectLoss(classLoss(scores, labels), 0, zero, { ...feeds, labels: none });
    await expectLoss(classLoss(scores, labels, { labelSmoothing: 0.1 }), 0, zero, { ...feeds, labels: none });
    const present = full("float32", [4, 3], 0);
    await expectLoss(classLoss(scores, labels, { labelSmoothing: 0.1 }, undefined, present), 0, zero, {
      ...feeds,
      labels: none,
    });
    const weightless = hostTensor("float32", [4], new Float32Array(4));
    await expectLoss(classLoss(scores, labels, {}, rows), 0, zero, { ...feeds, rows: weightless });
  });
});

describe("binary cross entropy with logits", () => {
  test("plain", () =>
    expectLoss(
      labelsLoss(scores, targets),
      0.932653863,
      [
        -0.015202127, 0.036485292, -0.026735108, 0.043748266, 0.073399756, 0.022411785, -0.051871611, -0.035463124,
        -0.024087541, 0.077011818, -0.068131206, 0.041666667,
      ],
    ));

  test("class weights are torch's pos_weight", () =>
    expectLoss(
      labelsLoss(scores, targets, { classWeights }),
      1.086822998,
      [
        -0.007601063, 0.036485292, -0.033418886, 0.043748266, 0.073399756, 0.022411785, -0.025935805, -0.070926247,
        -0.030109427, 0.077011818, -0.136262413, 0.041666667,
      ],
    ));

  test("row weights 1, 0.5, 3, 2 are rows repeated 2, 1, 6 and 4 times", () =>
    expectLoss(
      labelsLoss(scores, targets, { classWeights }, rows),
      1.136863021,
      [
        -0.004677578, 0.022452487, -0.020565468, 0.013461005, 0.02258454, 0.006895934, -0.047881487, -0.130940764,
        -0.055586634, 0.094783776, -0.167707585, 0.051282051,
      ],
    ));

  test("smoothing draws targets towards a half", () =>
    expectLoss(
      labelsLoss(scores, targets, { labelSmoothing: 0.1 }),
      0.924737197,
      [
        -0.01103546, 0.032318625, -0.022568442, 0.039581599, 0.06923309, 0.018245118, -0.047704944, -0.031296457,
        -0.019920875, 0.072845152, -0.06396454, 0.0375,
      ],
    ));

  test("focal, gamma 2", () =>
    expectLoss(
      labelsLoss(scores, targets, { focalGamma: 2 }),
      0.50451295,
      [
        -0.001419259, 0.017338032, -0.007259139, 0.028299551, 0.089726144, 0.004381761, -0.043845985, -0.016034037,
        -0.00538994, 0.093616923, -0.080118724, 0.024857233,
      ],
    ));

  test("scores of hundreds do not overflow", async () => {
    const far = hostTensor("float32", [4, 3], Float32Array.of(500, -500, -500, 0, 0, 0, 0, 0, 0, 0, 0, 0));
    const { loss } = await evaluate({ loss: labelsLoss(scores, targets) }, { ...feeds, scores: far });
    expect(numbers(loss)[0]).toBeCloseTo((500 + 9 * Math.log(2)) / 12, 4);
  });
});

describe("R-Drop compares two passes", () => {
  const [first, second] = [slice(scores, 0, 0, 2), slice(scores, 0, 2, 2)];
  const even = full("float32", [2], 1);

  test("distributions over the classes", () =>
    expectLoss(
      symmetricKl(first, second, even),
      1.466404408,
      [
        0.252111719, -0.093938761, -0.158172958, -0.35119361, 0.396590692, -0.045397082, -0.185416784, 0.093817863,
        0.091598921, 0.242050081, -0.227991592, -0.014058489,
      ],
    ));

  test("by row weights", () =>
    expectLoss(
      symmetricKl(first, second, slice(rows, 0, 0, 2)),
      1.159407935,
      [
        0.336148958, -0.125251681, -0.210897277, -0.234129073, 0.264393795, -0.030264722, -0.247222379, 0.125090484,
        0.122131895, 0.161366721, -0.151994395, -0.009372326,
      ],
    ));

  test("labels, each by itself", () =>
    expectLoss(
      symmetricLabelsKl(first, second, even),
      0.382776919,
      [
        0.061527226, -0.022666064, -0.005371254, -0.083138761, 0.088820759, -0.035639209, -0.075836769, 0.022589257,
        0.005216321, 0.047284296, -0.101698678, 0.040088215,
      ],
    ));

  test("numbers", () =>
    expectLoss(
      squareErrorLoss(first, second, even),
      3.889166667,
      [
        0.666666667, -0.183333333, -0.05, -0.8, 1.166666667, -0.333333333, -0.666666667, 0.183333333, 0.05, 0.8,
        -1.166666667, 0.333333333,
      ],
    ));

  test("of several distributions a row, even or by a weight each", async () => {
    const [p, q] = [first, second].map((x) => reshape(concat([x, x], 1), [2, 2, 3])) as [Tensor, Tensor];
    const mask = constant("float32", [2, 2], [1, 0, 0, 0]);
    const found = await evaluate(
      { even: symmetricKl(p, q, even), masked: symmetricKl(p, q, mask) },
      { scores: SCORES },
    );
    expect(numbers(found["even"])[0]).toBeCloseTo(1.466404408, 5);
    // 1.5 x weighted mean = first + second / 2, 2 x mean = first + second
    expect(numbers(found["masked"])[0]).toBeCloseTo(3 * 1.159407935 - 2 * 1.466404408, 5);
  });
});

test("square error by row weights", async () => {
  const [predicted, expected] = [input("p", "float32", [4]), input("e", "float32", [4])];
  const [p, e] = [Float32Array.of(1, 2, -1, 0.5), Float32Array.of(3, 2, 0, 0)];
  const loss = { plain: squareErrorLoss(predicted, expected), weighted: squareErrorLoss(predicted, expected, rows) };
  const found = await evaluate(loss, {
    p: hostTensor("float32", [4], p),
    e: hostTensor("float32", [4], e),
    rows: ROWS,
  });
  expect(numbers(found["plain"])).toEqual([(4 + 0 + 1 + 0.25) / 4]);
  expect(numbers(found["weighted"])[0]).toBeCloseTo((4 + 0 + 3 + 0.5) / 6.5, 6);
});

test("options outside of their range and tensors that do not fit are refused", () => {
  expect(() => classLoss(scores, labels, { labelSmoothing: 1 })).toThrow(ArgumentError);
  expect(() => classLoss(scores, labels, { focalGamma: -1 })).toThrow("focal gamma: expected a number of at least 0");
  expect(() => classLoss(scores, labels, { classWeights: [1, 2] })).toThrow("class weights: expected 3 numbers");
  expect(() => labelsLoss(scores, targets, { classWeights: [1, Number.NaN, 1] })).toThrow(ArgumentError);
  expectShapeError(() => labelsLoss(scores, input("t", "float32", [4, 2])), "labelsLoss: targets", "float32[4, 3]");
  expectShapeError(() => classLoss(scores, labels, {}, input("r", "float32", [3])), "row weights", "float32[3]");
});

test("losses without classes refuse what changes the cross entropy of classes", () => {
  expect(() => expectPlainLoss({ labelSmoothing: 0.1 }, "regress", "the square error")).toThrow(
    "regress: expected the square error as loss, got class weights, label smoothing or focal loss",
  );
  expect(() => expectPlainLoss({ classWeights: [1, 2] }, "regress", "the square error")).toThrow(ArgumentError);
  expect(expectPlainLoss({ labelSmoothing: 0, focalGamma: 0 }, "regress", "the square error")).toBeUndefined();
});

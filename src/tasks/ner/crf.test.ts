/** The loss of a CRF and its gradients against PyTorch, and against every path tried one by one. */
import { expect, test } from "vitest";
import { evaluate, numbers } from "../../../test/graph-checks.ts";
import { gradients } from "../../graph/autodiff.ts";
import { input, type Tensor } from "../../graph/graph.ts";
import { modelContext } from "../../model/context.ts";
import { Random } from "../../util/random.ts";
import { type HostTensor, hostTensor } from "../../util/tensor.ts";
import { crfLoss, crfLosses, crfParameters, initializeCrf, packCrf, unpackCrf } from "./crf.ts";
import { labelMarginals } from "./viterbi.ts";

const [ROWS, SEQ, LABELS] = [3, 6, 4];
const LABEL_ROWS = [
  [-100, 1, 2, -100, 3, -100],
  [-100, 0, 0, 2, 1, 3],
  [-100, -100, -100, -100, 2, -100],
];

/** Numbers in -2 .. 2 that a few lines of Python draw too (Park and Miller 1988). */
function drawn(seed: number, shape: readonly number[]): HostTensor<"float32"> {
  let state = seed;
  const size = shape.reduce((product, dim) => product * dim, 1);
  const next = () => {
    state = (16807 * state) % 2147483647;
    return (state / 2147483647) * 4 - 2;
  };
  return hostTensor("float32", shape, Float32Array.from({ length: size }, next));
}

const feeds = {
  emissions: drawn(1, [ROWS, SEQ, LABELS]),
  "crf.start_transitions": drawn(2, [LABELS]),
  "crf.end_transitions": drawn(3, [LABELS]),
  "crf.transitions": drawn(4, [LABELS, LABELS]),
};

function graphInputs(rows = ROWS, seq = SEQ, labels = LABELS) {
  const parameters = crfParameters(modelContext(), labels);
  return {
    emissions: input("emissions", "float32", [rows, seq, labels]),
    labels: input("labels", "int32", [rows, seq]),
    rowWeights: input("weights", "float32", [rows]),
    parameters,
  };
}

const labelTensor = (rows: readonly (readonly number[])[]) =>
  hostTensor("int32", [rows.length, rows[0]?.length ?? 0], Int32Array.from(rows.flat()));
const ones = (rows: number) => hostTensor("float32", [rows], new Float32Array(rows).fill(1));

/** torch 2.13.0, float64: logsumexp over the labelled places of each row, their sum over the number of labels, backward(). */
const TORCH = {
  losses: [11.02182546615753, 12.102873840720111, 1.9775556484394474],
  loss: 2.7891394394796767,
  start: [-0.094658572, -0.071841853, -0.023067293, 0.189567718],
  end: [0.028830923, 0.074030502, -0.080096518, -0.022764908],
  transitions: [
    -0.109068413, 0.020586555, -0.107845624, 0.024642864, 0.006576795, 0.127874269, -0.098847279, 0.00581228,
    0.02324891, -0.010989541, 0.089304457, -0.109951297, 0.031047587, 0.049817135, 0.051971751, 0.005819552,
  ],
  firstEmissions: [
    0.0, 0.0, 0.0, 0.0, 0.003957053, -0.100174872, 0.010702073, 0.085515746, 0.028075299, 0.068323458, -0.100053796,
    0.003655039, 0.0, 0.0, 0.0, 0.0, 0.014876911, 0.042627978, 0.011587914, -0.069092803, 0.0, 0.0, 0.0, 0.0,
  ],
};

function expectNear(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  expect(actual).toHaveLength(expected.length);
  expected.forEach((value, i) => {
    expect(Math.abs((actual[i] as number) - value), `element ${i}`).toBeLessThan(tolerance);
  });
}

/** A graph of 13,000 nodes, which OpenVINO compiles for 20 s and more. */
const SLOW = { timeout: 300_000 };

test("losses and gradients are PyTorch's; unlabelled places are passed over", async () => {
  const { emissions, labels, rowWeights, parameters } = graphInputs();
  const { start, end, transitions } = parameters;
  const loss = crfLoss(emissions, labels, parameters, rowWeights);
  const grads = gradients(loss, [start, end, transitions, emissions]);
  const named = Object.fromEntries(grads.map((grad, i) => [`grad${i}`, grad as Tensor]));
  const results = await evaluate(
    { loss, losses: crfLosses(emissions, labels, parameters), ...named },
    { ...feeds, labels: labelTensor(LABEL_ROWS), weights: ones(ROWS) },
  );
  expectNear(numbers(results["losses"]), TORCH.losses, 1e-5);
  expectNear(numbers(results["loss"]), [TORCH.loss], 1e-6);
  expectNear(numbers(results["grad0"]), TORCH.start, 1e-6);
  expectNear(numbers(results["grad1"]), TORCH.end, 1e-6);
  expectNear(numbers(results["grad2"]), TORCH.transitions, 1e-6);
  expectNear(numbers(results["grad3"]).slice(0, SEQ * LABELS), TORCH.firstEmissions, 1e-6);
});

test("rows without labels and rows without weight cost nothing", async () => {
  const { emissions, labels, rowWeights, parameters } = graphInputs();
  const loss = crfLoss(emissions, labels, parameters, rowWeights);
  const [grad] = gradients(loss, [emissions]);
  const run = async (rows: readonly (readonly number[])[], weights: number[]) =>
    evaluate(
      { loss, grad: grad as Tensor },
      { ...feeds, labels: labelTensor(rows), weights: hostTensor("float32", [ROWS], Float32Array.from(weights)) },
    );
  const none = new Array<number>(SEQ).fill(-100);
  const [first] = LABEL_ROWS as [number[]];
  const unlabelled = await run([first, none, none], [1, 1, 1]);
  const weightless = await run(LABEL_ROWS, [1, 0, 0]);
  expectNear(numbers(unlabelled["loss"]), [(TORCH.losses[0] as number) / 3], 1e-5);
  expectNear(numbers(weightless["loss"]), numbers(unlabelled["loss"]), 1e-6);
  expectNear(numbers(weightless["grad"]), numbers(unlabelled["grad"]), 1e-6);
  const nothing = await run([none, none, none], [1, 1, 1]);
  expect(numbers(nothing["loss"])).toEqual([0]);
  expect(numbers(nothing["grad"]).every((value) => value === 0)).toBe(true);
});

test(
  "emissions in the thousands and a sequence of 512 stay finite; gradients are marginals less labels",
  SLOW,
  async () => {
    const [rows, seq] = [1, 512];
    const { emissions, labels, rowWeights, parameters } = graphInputs(rows, seq);
    const loss = crfLoss(emissions, labels, parameters, rowWeights);
    const [grad] = gradients(loss, [emissions]);
    const random = new Random(3);
    const scores = Float32Array.from({ length: seq * LABELS }, () => 1000 + 5 * random.normal());
    const gold = Array.from({ length: seq }, () => random.integer(LABELS));
    const results = await evaluate(
      { loss, grad: grad as Tensor },
      {
        ...feeds,
        emissions: hostTensor("float32", [rows, seq, LABELS], scores),
        labels: labelTensor([gold]),
        weights: ones(1),
      },
    );
    const packed = [feeds["crf.start_transitions"], feeds["crf.end_transitions"], feeds["crf.transitions"]];
    const marginals = labelMarginals(
      scores,
      unpackCrf(
        packed.flatMap(({ data }) => [...data]),
        LABELS,
      ),
    );
    const expected = [...marginals].map((p, i) => (p - (gold[Math.floor(i / LABELS)] === i % LABELS ? 1 : 0)) / seq);
    // Sums of 512 log probabilities near -3 have a spacing of 1e-4 in float32; scores near 1000 one of 6e-5.
    expectNear(numbers(results["grad"]), expected, 1e-3 / seq);
    expect(Number.isFinite(numbers(results["loss"])[0])).toBe(true);
  },
);

test("all parameters travel as one tensor, and start near 0", async () => {
  const { parameters } = graphInputs();
  const { packed } = await evaluate({ packed: packCrf(parameters) }, feeds);
  const { start, end, between } = unpackCrf(numbers(packed), LABELS);
  expect([...start]).toEqual([...feeds["crf.start_transitions"].data]);
  expect([...end]).toEqual([...feeds["crf.end_transitions"].data]);
  expect([...between]).toEqual([...feeds["crf.transitions"].data]);
  const first = initializeCrf("crf.transitions", [LABELS, LABELS], new Random(1)) as Float32Array;
  expect(first).toHaveLength(16);
  expect(Math.max(...first.map(Math.abs))).toBeLessThanOrEqual(0.1);
  expect(new Set(first).size).toBeGreaterThan(8);
  expect(initializeCrf("classifier.weight", [2], new Random(1))).toBeUndefined();
});

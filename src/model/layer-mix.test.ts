/** The layers' weighted sum and its gradients against torch 2.13.0 in double precision. */
import { expect, test } from "vitest";
import { evaluate, expectClose, expectShapeError, numbers } from "../../test/graph-checks.ts";
import { gradients } from "../graph/autodiff.ts";
import { input, type Tensor } from "../graph/graph.ts";
import { mul } from "../graph/ops/arithmetic.ts";
import { reduceSum } from "../graph/ops/broadcast.ts";
import { constant } from "../graph/ops/constant.ts";
import { hostTensor } from "../util/tensor.ts";
import { modelContext } from "./context.ts";
import { initialLayerMix, mixLayers } from "./layer-mix.ts";

const LAYERS = [
  [1, -2, 0.5, 3],
  [0, 1, 2, -1],
  [4, 0, -1, 1],
];
const states = LAYERS.map((_, layer) => input(`state${layer}`, "float32", [2, 2]));
const feeds = Object.fromEntries(
  LAYERS.map((values, layer) => [`state${layer}`, hostTensor("float32", [2, 2], Float32Array.from(values))]),
);

test("value and gradients of weights, scale and states", async () => {
  const context = modelContext();
  const y = mixLayers(context, states);
  const [weights, scale] = [context.parameter("layer_mix.weights", [3]), context.parameter("layer_mix.scale", [1])];
  const loss = reduceSum(mul(y, constant("float32", [2, 2], [1, 2, -1, 0.5])));
  const [dWeights, dScale, dFirst] = gradients(loss, [weights, scale, states[0] as Tensor]) as [Tensor, Tensor, Tensor];
  const found = await evaluate(
    { y, dWeights, dScale, dFirst },
    {
      ...feeds,
      "layer_mix.weights": hostTensor("float32", [3], Float32Array.of(0.2, -0.5, 1)),
      "layer_mix.scale": hostTensor("float32", [1], Float32Array.of(1.5)),
    },
  );
  const expectFound = (name: string, expected: readonly number[]) => expectClose(numbers(found[name]), expected, 1e-6);
  expectFound("y", [3.9905270923175893, -0.6058693079114499, -0.2951419196469339, 1.9057476813995886]);
  expectFound("dWeights", [-1.887846837620498, -0.6372945556036355, 2.525141393224134]);
  expectFound("dScale", [2.6845361578942786]);
  expectFound("dFirst", [0.4029954672116554, 0.8059909344233108, -0.4029954672116554, 0.2014977336058277]);
});

test("before training it is the mean of the layers", async () => {
  const start = (name: string, size: number) => ({
    [name]: hostTensor("float32", [size], initialLayerMix(name, [size]) as Float32Array),
  });
  const { y } = await evaluate(
    { y: mixLayers(modelContext(), states) },
    { ...feeds, ...start("layer_mix.weights", 3), ...start("layer_mix.scale", 1) },
  );
  expectClose(numbers(y), [5 / 3, -1 / 3, 0.5, 1], 1e-6);
  expect(initialLayerMix("classifier.weight", [2, 2])).toBeUndefined();
});

test("states that do not fit are refused", () => {
  expectShapeError(() => mixLayers(modelContext(), []), "mixLayers", "at least one state");
  const other = input("other", "float32", [3, 2]);
  expectShapeError(() => mixLayers(modelContext(), [...states, other]), "mixLayers: state 3", "[2, 2]", "[3, 2]");
});

import { test } from "vitest";
import { checkOperator } from "../../../test/graph-checks.ts";
import { hostTensor } from "../../util/tensor.ts";
import { relu } from "./relu.ts";

test("relu", async () => {
  // No element within a difference step of the kink.
  const x = hostTensor("float32", [2, 3], Float32Array.of(-2, -0.5, -0.03, 0.03, 1, 3));
  await checkOperator({ build: relu, inputs: [x], shape: [2, 3], expected: [0, 0, 0, 0.03, 1, 3] });
});

import { test } from "vitest";
import { checkOperator, randomTensor } from "../../../test/graph-checks.ts";
import { tanh } from "./tanh.ts";

test("tanh", async () => {
  const x = randomTensor(1, [3, 4]);
  await checkOperator({ build: tanh, inputs: [x], shape: [3, 4], expected: Array.from(x.data, Math.tanh) });
});

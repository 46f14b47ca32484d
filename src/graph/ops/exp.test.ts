import { test } from "vitest";
import { checkOperator, positiveTensor, randomTensor } from "../../../test/graph-checks.ts";
import { exp, log, sqrt } from "./exp.ts";

test("exp", async () => {
  const x = randomTensor(1, [3, 4]);
  await checkOperator({ build: exp, inputs: [x], shape: [3, 4], expected: Array.from(x.data, Math.exp) });
});

test("log", async () => {
  const x = positiveTensor(2, [3, 4]);
  await checkOperator({ build: log, inputs: [x], shape: [3, 4], expected: Array.from(x.data, Math.log) });
});

test("sqrt", async () => {
  const x = positiveTensor(3, [3, 4]);
  await checkOperator({ build: sqrt, inputs: [x], shape: [3, 4], expected: Array.from(x.data, Math.sqrt) });
});

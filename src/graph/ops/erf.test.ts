import { test } from "vitest";
import { checkOperator, randomTensor } from "../../../test/graph-checks.ts";
import { erf } from "./erf.ts";

test("erf", async () => {
  const x = randomTensor(1, [3, 4]);
  await checkOperator({ build: erf, inputs: [x], shape: [3, 4], expected: Array.from(x.data, erfBySeries) });
});

/** erf by its Maclaurin series (Abramowitz and Stegun 7.1.5). */
function erfBySeries(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 60; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

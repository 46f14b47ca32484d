import { expect, test } from "vitest";
import { inPercent } from "./percent.ts";

test("shares in per cent", () => {
  expect([0, 0.12345, 1, -0.005].map((share) => inPercent(share))).toEqual(["0.0", "12.3", "100.0", "-0.5"]);
  expect(inPercent(0.12345, 2)).toBe("12.35");
  expect(inPercent(Number.NaN)).toBe("NaN");
});

import { expect, test } from "vitest";
import { freeBuffers } from "./free-buffers.ts";

test("buffers are empty afterwards, others are not", () => {
  const [freed, kept] = [new Float32Array(8), new Float32Array(8)];
  freeBuffers([freed.buffer, freed.buffer]);
  freeBuffers([]);
  expect([freed.length, freed.buffer.byteLength, kept.length]).toEqual([0, 0, 8]);
});

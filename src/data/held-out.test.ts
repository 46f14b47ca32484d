import { expect, test } from "vitest";
import { isHeldOut, splitIndexes } from "./held-out.ts";

const documents = Array.from({ length: 2000 }, (_, i) => [`第${i}篇文章的开头。`, `第${i}篇文章的结尾。`]);

test("isHeldOut takes about its share, always the same documents, others with another seed", () => {
  const chosen = documents.filter((document) => isHeldOut(document, 0.1, 1));
  expect(chosen.length).toBeGreaterThan(140);
  expect(chosen.length).toBeLessThan(260);
  expect(
    documents
      .toReversed()
      .filter((document) => isHeldOut(document, 0.1, 1))
      .toReversed(),
  ).toEqual(chosen);
  expect(documents.filter((document) => isHeldOut(document, 0.1, 2))).not.toEqual(chosen);
  const more = new Set(documents.filter((document) => isHeldOut(document, 0.2, 1)));
  expect(chosen.every((document) => more.has(document))).toBe(true);
  expect(documents.some((document) => isHeldOut(document, 0, 1))).toBe(false);
  expect(documents.every((document) => isHeldOut(document, 1, 1))).toBe(true);
});

test("splitIndexes parts all indexes", () => {
  const { train, heldOut } = splitIndexes(1000, 0.25, 3);
  expect(heldOut.length).toBeGreaterThan(190);
  expect(heldOut.length).toBeLessThan(310);
  expect([...train, ...heldOut].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
});

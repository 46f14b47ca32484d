/** The C library's setting is there where there is a glibc. */
import { expect, test } from "vitest";
import { returnLargeBlocks } from "./large-blocks.ts";

test("large blocks go back to the system under glibc, and nothing is done elsewhere", () => {
  const { header } = process.report.getReport() as { readonly header: { readonly glibcVersionRuntime?: string } };
  expect(returnLargeBlocks()).toBe(header.glibcVersionRuntime !== undefined);
});

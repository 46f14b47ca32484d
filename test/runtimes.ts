/**
 * The engines that tests of numbers run on: ONNX Runtime always, OpenVINO at float32 where it is found. It is looked for at
 * ZHBERT_OPENVINO, in the virtual environment that .ci/run makes, and where `findOpenVino` looks.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, test } from "vitest";
import { createOnnxRuntime } from "../src/node/onnxruntime.ts";
import { findOpenVino } from "../src/node/openvino/find.ts";
import { createOpenVinoRuntime } from "../src/node/openvino.ts";
import type { Runtime } from "../src/runtime/runtime.ts";

const THREADS = 2;

/** The library of OpenVINO, or undefined where there is none. */
export const openVinoLibrary = findOpenVino(process.env["ZHBERT_OPENVINO"] ? undefined : ciFolder()).found?.library;

/** Every engine of this machine at float32; disposed of after the tests of a file. */
export const testRuntimes: readonly Runtime[] = [
  createOnnxRuntime({ threads: THREADS }),
  ...(openVinoLibrary === undefined
    ? []
    : [await createOpenVinoRuntime({ threads: THREADS, library: openVinoLibrary })]),
];

afterAll(async () => {
  await Promise.all(testRuntimes.map((runtime) => runtime.dispose()));
});

/** A describe block for each engine; that of one that is not there is skipped with the reason. */
export function describeRuntimes(title: string, body: (runtime: Runtime) => void): void {
  for (const runtime of testRuntimes) describe(`${title} (${runtime.name})`, () => body(runtime));
  if (openVinoLibrary === undefined) describeOpenVino(title, () => {});
}

/** A describe block that needs OpenVINO; skipped with the reason where there is none. */
export function describeOpenVino(title: string, body: (library: string) => void): void {
  if (openVinoLibrary !== undefined) {
    const library = openVinoLibrary;
    describe(title, () => body(library));
    return;
  }
  const reason = "no OpenVINO: pip install openvino, or set ZHBERT_OPENVINO";
  console.log(`skipped: ${title} (openvino): ${reason}`);
  describe(`${title} (openvino)`, () => test.skip(reason));
}

function ciFolder(): string | undefined {
  const folder = fileURLToPath(new URL("../.ci/venv/lib", import.meta.url));
  const versions = existsSync(folder) ? readdirSync(folder) : [];
  return versions.map((name) => join(folder, name, "site-packages", "openvino")).find((path) => existsSync(path));
}

/** WebGPU computes what the CPU computes: on the software driver that Chromium brings, in a process of its own. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { createRuntime } from "../src/node/runtimes.ts";
import { probeWebGpu } from "../src/node/webgpu.ts";
import { root } from "./cli-process.ts";

const CHROMIUM = "/usr/lib/chromium";
const DRIVER = `${CHROMIUM}/vk_swiftshader_icd.json`;

describe("WebGPU", () => {
  const title = "a layer, forward and backward, is that of the CPU; outputs are in the memory that was given";
  if (!existsSync(DRIVER)) {
    console.log(`skipped: ${title}: no ${DRIVER} (Debian's package chromium brings it)`);
    test.skip(title);
  } else {
    test(title, { timeout: 600_000 }, async () => {
      const env = { ...process.env, LD_LIBRARY_PATH: CHROMIUM, VK_ICD_FILENAMES: DRIVER };
      const args = ["--import", "tsx", fileURLToPath(new URL("./webgpu-child.ts", import.meta.url))];
      const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, env });
      const { runtime, isInPlace, largest, difference } = JSON.parse(stdout);
      expect({ runtime, isInPlace }).toEqual({ runtime: "webgpu", isInPlace: true });
      // float32 on both sides, sums in another order: measured 3e-7 of the largest number.
      expect(difference / largest).toBeLessThan(1e-5);
    });
  }

  test("without a graphics processor the error says so, here and in the process that looks for one", async () => {
    const problem = await probeWebGpu();
    const opened = createRuntime({ runtime: "webgpu", threads: 1 });
    if (problem === undefined) {
      expect((await opened).name).toBe("webgpu");
      return;
    }
    expect(problem.message).toMatch(/expected a graphics processor that WebGPU can use/);
    await expect(opened).rejects.toMatchObject({ message: problem.message, hint: /--runtime auto/ });
  });
});

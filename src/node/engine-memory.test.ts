/** What is said when an engine finds no memory for a graph: in a process of its own, whose address space is limited. */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { openVinoLibrary } from "../../test/runtimes.ts";

/** Beyond what the process has taken before: less than the layer's inner results are, and more than the engine itself needs. */
const MEBIBYTES = 300;

const RLIMIT_AS = 9;

const program = (runtime: string) => `
import { readFileSync } from "node:fs";
import koffi from "koffi";
import { layerGraph, usualWork } from "${new URL("measure-layer.ts", import.meta.url)}";
import { createRuntime } from "${new URL("runtimes.ts", import.meta.url)}";
import { zeros } from "${new URL("../util/tensor.ts", import.meta.url)}";

const runtime = await createRuntime({ runtime: "${runtime}", threads: 1 });
await (await runtime.compile(layerGraph(usualWork("training"), 1))).dispose();
const graph = layerGraph(usualWork("training"), 64);
const feeds = Object.fromEntries(graph.inputs.map(({ name, dtype, shape }) => [name, zeros(dtype, shape)]));
const taken = 1024 * Number(/^VmSize:\\s+(\\d+)/m.exec(readFileSync("/proc/self/status", "utf8"))[1]);
const most = taken + ${MEBIBYTES} * 2 ** 20;
const limits = koffi.struct({ now: "uint64_t", ever: "uint64_t" });
koffi.load("libc.so.6").func("setrlimit", "int", ["int", koffi.pointer(limits)])(${RLIMIT_AS}, { now: most, ever: most });
try {
  await (await runtime.compile(graph)).run(feeds);
} catch ({ name, message, hint }) {
  console.log(JSON.stringify({ name, message, hint }));
}
process.exit();`;

test.each([
  ["onnxruntime", "run"],
  ["openvino", "compile"],
])("%s: the plan, and what to lower", { timeout: 60_000 }, (runtime, where) => {
  const reason =
    process.platform !== "linux"
      ? "memory is limited as Linux limits it"
      : runtime === "openvino" && openVinoLibrary === undefined && "no OpenVINO";
  if (reason) {
    console.log(`skipped: ${runtime} without memory: ${reason}`);
    return;
  }
  const { stdout, status } = spawnSync(
    process.execPath,
    ["--import", "tsx", "--input-type=module", "-e", program(runtime)],
    { encoding: "utf8", env: { ...process.env, ...(openVinoLibrary && { ZHBERT_OPENVINO: openVinoLibrary }) } },
  );
  expect(status).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    name: "RuntimeError",
    message: expect.stringContaining(`${runtime}: ${where}: expected`),
    hint: expect.stringMatching(/^out of memory: by its plan the graph takes 7\d\d MB .*Lower the batch size/),
  });
});

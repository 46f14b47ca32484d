/** Which layers are sensitive, and which of them stay in float. */
import { afterAll, expect, test } from "vitest";
import { smallConfig, smallWeights } from "../../test/small-model.ts";
import { tokenBatch } from "../inference/batches.ts";
import { createOnnxRuntime } from "../node/onnxruntime.ts";
import { type HostTensor, hostTensor, type NamedTensors } from "../util/tensor.ts";
import { layerSensitivities, layersToKeep } from "./sensitivity.ts";
import { linearSites, studyGraph } from "./study-graph.ts";

const runtime = createOnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const row = { ids: Int32Array.of(2, 7, 9, 12, 3), typeIds: new Int32Array(5) };
const other = { ids: Int32Array.of(2, 8, 3), typeIds: new Int32Array(3) };
// Heads of tasks have no part in it; roles are of no account.
const batches = [tokenBatch([row, other] as never[])];

test("a layer whose input is cut off is sensitive, one whose weights are off is so, the others are not", async () => {
  const graph = studyGraph(smallConfig, { pooler: true, maskedLm: true });
  const weights: NamedTensors = smallWeights();
  const [cut, off] = ["bert.encoder.layer.0.intermediate.dense", "bert.encoder.layer.1.attention.output.dense"];
  const matrix = weights.get(`${off}.weight`) as HostTensor<"float32">;
  const rounded = new Map([
    [
      `${off}.weight`,
      hostTensor(
        "float32",
        matrix.shape,
        matrix.data.map((x) => -x),
      ),
    ],
  ]);
  const rounding = (module: string) => (module === cut ? { scale: 1e-4, zeroPoint: 0 } : ("dynamic" as const));
  const done: string[] = [];
  const found = await layerSensitivities(
    { graph, weights, rounded, rounding, batches },
    { runtime, onProgress: (n, total) => done.push(`${n}/${total}`) },
  );
  expect(found.map(({ module }) => module)).toEqual(linearSites(graph).map(({ module }) => module));
  const worst = [...found].sort((a, b) => b.error - a.error).slice(0, 2);
  expect(worst.map(({ module }) => module).sort()).toEqual([cut, off].sort());
  expect(found.find(({ module }) => module === "bert.pooler.dense")?.error).toBeLessThan(1e-3);
  expect(found.find(({ module }) => module === "cls.predictions.decoder")?.bytes).toBe(4 * smallConfig.vocabSize * 12);
  expect(done.at(-1)).toBe(`${found.length}/${found.length}`);
});

const layer = (module: string, error: number, bytes = 10) => ({ module, error, bytes });

test.each<[string, number, number, string[]]>([
  ["none where the errors add up to little enough", 0.9, 1, []],
  ["the worst first, until the rest is little enough", 0.985, 1, ["a"]],
  ["as many as are needed", 0.9991, 1, ["a", "b", "d"]],
  ["no more than the share allows; a smaller one may still fit", 0.9999, 0.35, ["a", "c"]],
  ["none without a share", 0.9999, 0, []],
])("kept in float: %s", (_, targetCosine, maxShare, kept) => {
  const layers = [layer("c", 0.0009, 5), layer("a", 0.02, 10), layer("d", 0.004, 15), layer("b", 0.01, 20)];
  expect(layersToKeep(layers, { targetCosine, maxShare })).toEqual(kept);
});

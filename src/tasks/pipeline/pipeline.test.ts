/** The pipeline that browsers have: a model's files in memory and an engine, nothing of Node.js. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { SMALL_LENGTH, smallTaskFolder } from "../../../test/small-task.ts";
import { memoryFiles } from "../../checkpoint/source.ts";
import { createOnnxRuntime } from "../../node/onnxruntime.ts";
import { pipeline as pipelineOfFolders } from "../../node/pipeline.ts";
import { pipeline } from "./pipeline.ts";

const runtime = createOnnxRuntime({ threads: 1 });
const folder = smallTaskFolder({ task: "classify", maxSeqLength: SMALL_LENGTH, labels: ["差", "中", "好"] });
afterAll(async () => {
  folder.remove();
  await runtime.dispose();
});

test("files in memory give what their folder gives, until they are disposed of", async () => {
  const bytes = readdirSync(folder.path).map((name) => [name, readFileSync(join(folder.path, name))] as const);
  const files = memoryFiles("picked", new Map(bytes.map(([name, content]) => [name, new Uint8Array(content)])));
  const inMemory = await pipeline("text-classification", files, { runtime });
  const ofFolder = await pipelineOfFolders("text-classification", folder.path, { runtime });
  expect(inMemory.task).toBe("text-classification");
  expect(await inMemory("我爱北京", { topK: 3 })).toEqual(await ofFolder("我爱北京", { topK: 3 }));
  await inMemory.dispose();
  await ofFolder.dispose();
  const failure = await pipeline("ner", files, { runtime }).catch((error) => error);
  expect(failure.hint).toContain("zhbert finetune ner --model picked");
});

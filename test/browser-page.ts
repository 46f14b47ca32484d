/** What a web page does with a model; the check of the browser's bundle runs it where there are only the web's globals. */
import { BertModel, memoryFiles, type OnnxRuntimeModule, onnxRuntime } from "../src/index.ts";

/** Files of a model, as a page gets them. */
export interface PageFiles {
  /** The address of a folder. */
  readonly folder: string;
  readonly zip: ArrayBuffer;
  /** Bytes by path. */
  readonly hdf5: ReadonlyMap<string, Uint8Array>;
}

/** What a model says to some texts. */
export async function askModel(model: BertModel): Promise<object> {
  const texts = ["今天天气很好", "我爱北京。"];
  const candidates = ["北京", "天气"];
  return {
    filled: await model.fillMask(["今[MASK]很好"], { topK: 3 }),
    words: await model.fillMask(["我爱[MASK][MASK]"], { candidates }),
    vectors: await model.embed(texts, { pooling: "mean" }),
    features: await model.features(texts, { layers: [-1] }),
    head: model.inspectMlmHead(),
  };
}

/** Loads a model in every way that a page has, and asks each. */
export async function usePage(ort: OnnxRuntimeModule, { folder, zip, hdf5 }: PageFiles): Promise<object> {
  const runtime = onnxRuntime(ort, { threads: 1 });
  const answers: Record<string, object> = {};
  for (const [name, origin] of Object.entries({ folder, zip, hdf5: memoryFiles("page", hdf5) })) {
    const model = await BertModel.fromPretrained(origin, { runtime });
    answers[name] = await askModel(model);
    await model.dispose();
  }
  return answers;
}

/** `zhbert` under Node.js, and `zhbert/node`: the public API with files, the engine and jieba bound to it. */
export * from "../index.ts";
export {
  DatasetWriter,
  type DatasetWriterOptions,
  type OpenedDataset,
  openDataset,
  openFileSource,
} from "./dataset.ts";
export { type AtomicFile, createAtomicFile, readBytes, readText, writeFileAtomic } from "./files.ts";
export { type CreateJiebaOptions, createJieba } from "./jieba.ts";
export { createOnnxRuntime } from "./onnxruntime.ts";
export { type CreateSegmenterOptions, createSegmenter } from "./segmenters.ts";
export { loadVocabulary } from "./vocabulary-file.ts";

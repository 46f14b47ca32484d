/** `zhbert` under Node.js, and `zhbert/node`: the public API with files, the engine and jieba bound to it. */
export * from "../index.ts";
export { parseProtocol, type ReadOption } from "../tasks/protocol/protocol-file.ts";
export { type AddTokensOptions, type AddTokensResult, addTokens } from "./add-tokens.ts";
export { BertModel, type LoadOptions, loadPretrained, openPretrained } from "./bert-model.ts";
export type { Precision, RuntimeName, RuntimeOptions } from "./choose-runtime.ts";
export { type ConvertOptions, type ConvertResult, convert } from "./convert.ts";
export { type Corpus, corpusOfLines, openCorpus, type ReadCorpusOptions } from "./corpus.ts";
export { DatasetWriter, type DatasetWriterOptions, type OpenedDataset, openDataset } from "./dataset.ts";
export {
  type EvaluatePretrainingOptions,
  evaluateOnData,
  type PretrainingEvaluation,
} from "./evaluate-pretraining.ts";
export { exportAverage } from "./export-average.ts";
export { type AtomicFile, createAtomicFile, readBytes, readText, writeFileAtomic } from "./files.ts";
export { type FilledPretraining, fillPretraining, type GivenPretraining } from "./fill-preset.ts";
export { type FineTuneOptions, type FineTuneResult, fineTune, resumeFineTuning } from "./fine-tune.ts";
export type { FineTuneEnvironment } from "./fine-tuning-inputs.ts";
export type { FineTuningChoices, FineTuningPlan } from "./fine-tuning-plan.ts";
export type { FineTuningRunResult, FineTuningStart } from "./fine-tuning-run.ts";
export type { FittedBatches, PhaseShape } from "./fit-batches.ts";
export {
  type DownloadedFile,
  type DownloadedModel,
  type DownloadOptions,
  type DownloadProgress,
  downloadModel,
  downloadModelFiles,
} from "./hub.ts";
export { type CreateJiebaOptions, createJieba } from "./jieba.ts";
export { jiebaWords, readWords } from "./lexicon.ts";
export { measureMachinePeak } from "./machine-peak.ts";
export { type DataFormat, type DataPart, type DataReport, type MakeDataOptions, makeData } from "./make-data.ts";
export { type MaskingWordFiles, readMaskingWords } from "./masking-words.ts";
export { type MlmHeadResult, resumeMlmHead, type TrainMlmHeadOptions, trainMlmHead } from "./mlm-head.ts";
export { readConfig } from "./model-files.ts";
export { folderFiles, type ModelSource, openModelSource } from "./model-source.ts";
export { createOnnxRuntime } from "./onnxruntime.ts";
export {
  type FoundOpenVino,
  findOpenVino,
  type OpenVinoSearch,
  type OpenVinoSource,
  type RejectedOpenVino,
} from "./openvino/find.ts";
export { createOpenVinoRuntime, type OpenVinoOptions, type OpenVinoPrecision } from "./openvino.ts";
export { PassWorkers } from "./pass-workers.ts";
export { pipeline } from "./pipeline.ts";
export { type PlannedJob, type PlannedPhase, type PlanTrainingOptions, planTraining } from "./plan-training.ts";
export { type PretrainOptions, pretrain, type ResumeOptions, resumePretraining } from "./pretrain.ts";
export type { PretrainResult, PretrainStart } from "./pretraining-run.ts";
export {
  type CellEnvironment,
  type ProtocolOptions,
  type ProtocolOutcome,
  type RunCell,
  readProtocol,
  runProtocol,
} from "./protocol.ts";
export { type CellRunnerOptions, cellRunner, type FineTuneOptionsOf } from "./protocol-cell.ts";
export {
  type QuantizedForm,
  type QuantizeOptions,
  type QuantizeResult,
  type QuantizeStage,
  quantize,
} from "./quantize.ts";
export { fillSamples, readRuns, type SampleOptions } from "./report-run.ts";
export { createRuntime, type EngineChoice } from "./runtimes.ts";
export { type SearchOptions, type SearchResult, type SearchTrial, searchOptions } from "./search.ts";
export { type CreateSegmenterOptions, createSegmenter } from "./segmenters.ts";
export { type AnyTaskData, loadTaskData, type TaskData, type TaskDataOptions, type TaskSplits } from "./task-data.ts";
export { loadVocabulary } from "./vocabulary-file.ts";

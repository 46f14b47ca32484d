/** `zhbert`: the public API that works everywhere. Under Node.js, node/index.ts adds files, engine and jieba. */
export {
  type Checkpoint,
  type CheckpointFormat,
  type LazyTensor,
  type LazyTensors,
  lazyTensor,
  lazyTensors,
  type OutputFile,
  readTensors,
} from "./checkpoint/format.ts";
export { default as safetensors, readSafetensors, writeSafetensors } from "./checkpoint/formats/safetensors.ts";
export { checkpointFormats, type FoundCheckpoint, findCheckpoints, formatOfFile } from "./checkpoint/formats.ts";
export { type ByteSource, bytesSource, type ModelFiles, memoryFiles } from "./checkpoint/source.ts";
export type { RangeMethod } from "./compress/activation-range.ts";
export type { StudyEnvironment } from "./compress/calibrate.ts";
export {
  type QuantizationMode,
  type QuantizationOptions,
  type QuantizationStudy,
  type QuantizedModel,
  quantizeModel,
  studyModel,
} from "./compress/quantize-model.ts";
export type { KeepRule, LayerSensitivity } from "./compress/sensitivity.ts";
export { Batches, type BatchOptions, type BatchRows, padInstances } from "./data/batches.ts";
export { type Document, type DocumentOptions, readDocuments, readLines } from "./data/corpus.ts";
export {
  type CreateInstancesOptions,
  createPretrainingInstances,
  type InstanceStats,
} from "./data/create-instances.ts";
export { concatenateShards, type InstanceSource, instanceList } from "./data/dataset.ts";
export { type DynamicMaskingChoices, dynamicMasking, type MaskableData } from "./data/dynamic-masking.ts";
export { originalIds, type PretrainingBatch, type PretrainingInstance } from "./data/instance.ts";
export { encodeInstanceLine, type InstanceLine, instanceLine } from "./data/jsonl.ts";
export {
  compareMasking,
  createSampler,
  type MaskedSample,
  type MaskingComparison,
  type SampleOptions,
} from "./data/mask-sample.ts";
export { createMasking, type DrawnMasks, drawMasks, type MaskingOptions, type MaskingPlan } from "./data/masking.ts";
export { type MaskingRatio, parseMaskingRatio, ratioAt } from "./data/masking-ratio.ts";
export type { MaskingWords } from "./data/masking-words.ts";
export { splitSentences } from "./data/sentences.ts";
export { type Masking, ShardBuilder, ShardReader, type ShardSettings } from "./data/shards.ts";
export { findSimilarWords } from "./data/similar-words.ts";
export { type ExampleShape, encodeExample, frameRecord, readTfrecord } from "./data/tfrecord.ts";
export { readWordVectors, type WordVectors } from "./data/word-vectors.ts";
export {
  ArgumentError,
  CheckpointError,
  ConfigError,
  CorpusError,
  DataError,
  type ErrorCode,
  FileError,
  GraphError,
  InterruptedError,
  RuntimeError,
  ShapeError,
  TrainingError,
  UsageError,
  VocabularyError,
  ZhbertError,
} from "./errors.ts";
export { gradients, vectorJacobianProduct } from "./graph/autodiff.ts";
export { type GraphCost, graphCost } from "./graph/cost.ts";
export type { Dim, Shape } from "./graph/dims.ts";
export {
  buildGraph,
  defineOp,
  expectShape,
  type Graph,
  type GraphInput,
  input,
  type OperatorDefinition,
  parameter,
  type Tensor,
} from "./graph/graph.ts";
export { formatGraph } from "./graph/listing.ts";
export { add, addScalar, div, mul, scale, sub } from "./graph/ops/arithmetic.ts";
export { broadcastTo, reduceSum } from "./graph/ops/broadcast.ts";
export { columnSum } from "./graph/ops/column-sum.ts";
export { constant } from "./graph/ops/constant.ts";
export { crossEntropy, isHighest, meanCrossEntropy } from "./graph/ops/cross-entropy.ts";
export { dropout } from "./graph/ops/dropout.ts";
export { erf } from "./graph/ops/erf.ts";
export { exp, log, sqrt } from "./graph/ops/exp.ts";
export { gather, oneHot, scatterAdd } from "./graph/ops/gather.ts";
export { gelu, geluTanh } from "./graph/ops/gelu.ts";
export { layerNorm } from "./graph/ops/layer-norm.ts";
export { cast, equal, less, where } from "./graph/ops/logic.ts";
export { gemm, linear, matmul } from "./graph/ops/matmul.ts";
export { recompute } from "./graph/ops/recompute.ts";
export { logSumExp, reduceMax, reduceMean } from "./graph/ops/reduce.ts";
export { relu } from "./graph/ops/relu.ts";
export { reshape } from "./graph/ops/reshape.ts";
export { concat, slice, split } from "./graph/ops/slice.ts";
export { logSoftmax, softmax } from "./graph/ops/softmax.ts";
export { tanh } from "./graph/ops/tanh.ts";
export { transpose } from "./graph/ops/transpose.ts";
export { BertModel, type BertModelParts } from "./inference/bert-model.ts";
export {
  type Conversion,
  type ConversionOptions,
  type ConversionTarget,
  convertModel,
} from "./inference/convert-model.ts";
export type { EmbedOptions } from "./inference/embed.ts";
export type { FeatureOptions, TextFeatures } from "./inference/features.ts";
export type {
  FillFromCandidates,
  FillFromLexicon,
  FillMaskCandidate,
  FillMaskOptions,
  FillMaskResult,
  FillWordsOptions,
  JointCandidate,
  WordCandidate,
} from "./inference/fill-mask-options.ts";
export { exportOnnx, type OnnxExport, type OnnxExportOptions } from "./inference/onnx-export.ts";
export { POOLING_STRATEGIES, type PoolingStrategy } from "./inference/pooling.ts";
export { type SearchHit, VectorIndex } from "./inference/semantic-search.ts";
export type { EmbeddingDefaults } from "./inference/sentence-modules.ts";
export type { TextOrPair } from "./inference/token-rows.ts";
export type { WindowMerge } from "./inference/window-merge.ts";
export type { TextWords, WordVector, WordVectorOptions } from "./inference/word-vectors.ts";
export { attentionMaskAdder, multiHeadAttention } from "./model/attention.ts";
export { type BertConfig, builtinConfig, configToJson, parseConfig } from "./model/config.ts";
export { type ModelContext, modelContext } from "./model/context.ts";
export {
  bertEmbeddings,
  positionalEncoding,
  positionEmbedding,
  segmentEmbedding,
  tokenEmbedding,
} from "./model/embeddings.ts";
export { type EncoderInputs, encoder, transformerLayer } from "./model/encoder.ts";
export { type ExtendedVocabulary, extendVocabulary, extendWeights, type NewToken } from "./model/extend-vocabulary.ts";
export { positionwiseFeedForward } from "./model/feed-forward.ts";
export {
  maskedLmHead,
  multipleChoiceHead,
  nextSentenceHead,
  pooler,
  questionAnsweringHead,
  sequenceClassificationHead,
  tokenClassificationHead,
} from "./model/heads.ts";
export { type HiddenStatesOptions, hiddenStatesGraph } from "./model/hidden-states.ts";
export { initializeWeights, parameterShapes } from "./model/initialize.ts";
export type { MlmHeadInspection } from "./model/mlm-head.ts";
export { maxPooling, type PooledStatesOptions, pooledStatesGraph, weightedPooling } from "./model/pooling.ts";
export { type PretrainingGraphOptions, pretrainingGraph } from "./model/pretraining.ts";
export type { ActivationRounding, QuantizationConfig } from "./model/quantization-config.ts";
export {
  findModel,
  learningRatesOf,
  type MlmHeadFact,
  parameterCount,
  resolveHubName,
  scoresOf,
  type ZooModel,
  zoo,
} from "./model/zoo.ts";
export type { Score, SplitScores, TaskScores } from "./model/zoo-scores.ts";
export { type EvaluationReportData, evaluationReport } from "./report/evaluation-report.ts";
export { type ExplainedText, type ExplanationReportData, explanationReport } from "./report/explanation-report.ts";
export { type ChartSeries, type LineChartOptions, lineChart, type ReferenceLine } from "./report/line-chart.ts";
export type { ReportOptions } from "./report/page.ts";
export { protocolReport } from "./report/protocol-report.ts";
export { type ProtocolTable, protocolMarkdown, protocolTables } from "./report/protocol-tables.ts";
export type { RunCheckpoint, RunData, RunSamples } from "./report/run-data.ts";
export { runReport } from "./report/run-report.ts";
export type { TrainingMemory } from "./report/training-cost.ts";
export type { Choice, MeasuredRates } from "./report/training-plan.ts";
export { type OnnxRuntimeModule, type OnnxRuntimeOptions, onnxRuntime } from "./runtime/onnxruntime.ts";
export type { CompileOptions, Executable, Runtime } from "./runtime/runtime.ts";
export type { ScoredChoice } from "./tasks/choice.ts";
export { type QuestionFile, readQuestionFile } from "./tasks/datasets/question-file.ts";
export type { SourcePlace, SourceText } from "./tasks/explained/explained.ts";
export { scoreCjrcAnswer } from "./tasks/metrics/cjrc-metrics.ts";
export {
  type AnswerScore,
  type CmrcScores,
  officialCmrcLine,
  type ReferenceAnswers,
  scoreCmrc,
  scoreCmrcAnswer,
} from "./tasks/metrics/cmrc-metrics.ts";
export {
  type EntityReport,
  type SegmentationScores,
  type SpanScores,
  scoreSegmentation,
  scoreSpans,
  tagAccuracy,
} from "./tasks/metrics/entity-metrics.ts";
export {
  type BootstrapOptions,
  type BootstrapResult,
  holm,
  mcnemar,
  meanMeasure,
  type PairedScores,
  pairedBootstrap,
  type RunStatistics,
  statisticsOf,
} from "./tasks/metrics/significance.ts";
export { scoreSquadAnswer } from "./tasks/metrics/squad-metrics.ts";
export type { AggregationStrategy } from "./tasks/ner/aggregation.ts";
export type { FoundEntity } from "./tasks/ner/ner-decode.ts";
export {
  convertTags,
  detectScheme,
  lenientSpans,
  strictSpans,
  type TagAffix,
  type TagScheme,
  type TagSpan,
  tagsOf,
  type WrittenScheme,
} from "./tasks/ner/tag-schemes.ts";
export type { AttentionMaps } from "./tasks/pipeline/attention.ts";
export type { ExplainOptions, Explanation, TokenAttribution } from "./tasks/pipeline/explain.ts";
export { type PipelineOptions, pipeline } from "./tasks/pipeline/pipeline.ts";
export type {
  AnswerSpan,
  CallOptions,
  ChoiceInput,
  ClassificationOptions,
  Explainable,
  FeatureExtractionOptions,
  FeatureExtractionPipeline,
  FeatureTensor,
  FilledMask,
  FillMaskCallOptions,
  FillMaskPipeline,
  MultipleChoicePipeline,
  PairInput,
  PipelineBase,
  PipelineName,
  Pipelines,
  QuestionAnsweringOptions,
  QuestionAnsweringPipeline,
  QuestionInput,
  TextClassificationPipeline,
  TextInput,
  TextSimilarityPipeline,
  TokenClassificationOptions,
  TokenClassificationPipeline,
  ZeroShotClassificationPipeline,
  ZeroShotOptions,
  ZeroShotResult,
} from "./tasks/pipeline/pipeline-types.ts";
export {
  defaultLearningRate,
  type FineTuningChoice,
  type FineTuningDefaults,
  fineTuningDefaults,
  learningRateGrid,
  type RateFamily,
  type RateModel,
  rateFamilyOf,
} from "./tasks/protocol/default-rates.ts";
export { bestTrials, halvingRungs, nextTrials, type Rung, type Trial } from "./tasks/protocol/halving.ts";
export type {
  OptionValue,
  OptionValues,
  Protocol,
  ProtocolCell,
  ProtocolModel,
  ProtocolTask,
} from "./tasks/protocol/protocol.ts";
export {
  type CellResult,
  type ExampleScores,
  type FailedCell,
  type FinishedCell,
  type ProtocolComparison,
  type ProtocolResults,
  type ProtocolRow,
  protocolResults,
  type RelativeColumn,
  type RunCircumstances,
} from "./tasks/protocol/protocol-results.ts";
export {
  compareWithPublished,
  type PublishedBand,
  type PublishedComparison,
  type PublishedKey,
  type PublishedPosition,
  publishedBand,
  type RelativeScores,
  type ResultCircumstances,
  relativeScores,
  type ScoredModel,
  whatToCheck,
} from "./tasks/protocol/published.ts";
export type { AnswerRepair } from "./tasks/qa/placed-answers.ts";
export {
  type AnswerCandidate,
  type AnswerKind,
  nBestFileOf,
  predictionFileOf,
  type QuestionAnswer,
} from "./tasks/qa/qa-answer.ts";
export type { ScoredLabel } from "./tasks/sequence-task.ts";
export {
  type AddedToken,
  BertTokenizer,
  type BulkEncoding,
  type CurlyQuotes,
  type EncodeOptions,
  type Encoding,
  intlSegmenter,
  type JiebaLike,
  type JiebaOptions,
  jiebaSegmenter,
  noSegmenter,
  type Pieces,
  preSegmented,
  referenceFileSegmenter,
  type SegmentedText,
  type Segmenter,
  SPECIAL_TOKENS,
  segmentByCutting,
  type TokenizationRules,
  type TokenizerOptions,
  type TrainVocabularyOptions,
  type TruncationStrategy,
  trainVocabulary,
  Vocabulary,
  WordCounter,
  type WordCounterOptions,
} from "./text/index.ts";
export { AdamW, type AdamWOptions } from "./train/adamw.ts";
export { Lamb, type LambOptions } from "./train/lamb.ts";
export type { Optimizer, OptimizerOptions } from "./train/optimizer.ts";
export type { OptimizerName } from "./train/optimizers.ts";
export type { PassRunner } from "./train/pass-runner.ts";
export {
  findPreset,
  type Preset,
  type PresetData,
  type PresetSecondPhase,
  type PresetTraining,
  presets,
  type Sourced,
} from "./train/presets.ts";
export { runPretraining } from "./train/pretrain.ts";
export type {
  BatchSource,
  PretrainingHooks,
  PretrainingPhase,
  PretrainingRunOptions,
  PretrainingSummary,
} from "./train/pretraining-run-options.ts";
export { learningRate, type Schedule, type ScheduleName } from "./train/schedules.ts";
export type { SecondPhase, TrainingSettings } from "./train/settings.ts";
export type { BudgetState } from "./train/time-budget.ts";
export { Random } from "./util/random.ts";
export type { DType, HostTensor, NamedTensors, TypedArrays } from "./util/tensor.ts";

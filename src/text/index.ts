/** `zhbert/text`: tokenizer, vocabulary and word segmenters alone; no engine, nothing of Node.js. */
export { VocabularyError, ZhbertError } from "../errors.ts";
export type { AddedToken } from "./added-tokens.ts";
export type { BulkEncoding } from "./bulk.ts";
export type { TokenizationRules } from "./characters.ts";
export { chineseCharacters, gb2312Characters } from "./chinese-characters.ts";
export type { Encoding, Pieces } from "./encoding.ts";
export { type SegmentedText, type Segmenter, segmentByCutting } from "./segmenter.ts";
export { default as intlSegmenter } from "./segmenters/intl.ts";
export { default as jiebaSegmenter, type JiebaLike, type JiebaOptions } from "./segmenters/jieba.ts";
export { default as noSegmenter } from "./segmenters/none.ts";
export { default as preSegmented } from "./segmenters/pre-segmented.ts";
export { default as referenceFileSegmenter } from "./segmenters/reference-file.ts";
export { BertTokenizer, type EncodeOptions } from "./tokenizer.ts";
export type { TokenizerOptions } from "./tokenizer-options.ts";
export { type TrainVocabularyOptions, trainVocabulary } from "./train-vocabulary.ts";
export type { TruncationStrategy } from "./truncation.ts";
export { SPECIAL_TOKENS, Vocabulary } from "./vocabulary.ts";
export { WordCounter, type WordCounterOptions } from "./word-counts.ts";

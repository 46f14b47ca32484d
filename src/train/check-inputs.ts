/** Refuses models, data and batches that do not belong together, before the first step instead of inside of the engine. */
import { IGNORED_LABEL, type PretrainingBatch } from "../data/instance.ts";
import { ConfigError, DataError, verbatim } from "../errors.ts";
import type { BertConfig } from "../model/config.ts";

/** What the data were made for. */
export interface DataRequirements {
  readonly vocabularyHash: string;
  readonly vocabSize: number;
  readonly maxSeqLength: number;
}

/** The sizes of a vocabulary and its digest. */
export interface VocabularyIdentity {
  readonly size: number;
  hash(): string;
}

/**
 * Checks a model's config against the data and the vocabulary.
 * @throws {ConfigError} when sizes differ or sequences are longer than the model's positions.
 * @throws {DataError} when the data were made with another vocabulary.
 */
export function checkConfigFitsData(config: BertConfig, data: DataRequirements, vocabulary: VocabularyIdentity): void {
  if (vocabulary.hash() !== data.vocabularyHash) {
    throw new DataError({
      where: "data: vocabulary",
      expected: `data made with this vocabulary (${vocabulary.size} entries, hash ${vocabulary.hash().slice(0, 12)})`,
      got: verbatim(`data of another (${data.vocabSize} entries, hash ${data.vocabularyHash.slice(0, 12)})`),
      hint: "Make the data anew with zhbert data --vocab and the model's vocab.txt.",
    });
  }
  if (config.vocabSize < vocabulary.size) {
    throw new ConfigError({
      where: "config: vocab_size",
      expected: `${vocabulary.size} or more, the size of the data's vocabulary`,
      got: config.vocabSize,
      hint: "Set vocab_size in config.json, or make the data anew with the model's vocab.txt.",
    });
  }
  if (data.maxSeqLength > config.maxPositionEmbeddings) {
    throw new ConfigError({
      where: "config: max_position_embeddings",
      expected: `${data.maxSeqLength} or more, the data's maximal sequence length`,
      got: config.maxPositionEmbeddings,
      hint: "Make the data anew with a smaller --max-seq-length.",
    });
  }
}

/**
 * Checks that a batch can be looked up in the model's tables.
 * @throws {DataError} that names the first id, position or label out of range.
 */
export function checkBatch(batch: PretrainingBatch, config: BertConfig, where = "batch"): void {
  const { seqLength, maxPredictions } = batch;
  checkTokens(batch, config, where);
  expectBelow(`${where}: masked position`, batch.maskedLmPositions, seqLength, maxPredictions);
  expectBelow(`${where}: masked label`, batch.maskedLmIds, config.vocabSize, maxPredictions);
  const labels = batch.nextSentenceLabels.map((label) => (label === IGNORED_LABEL ? 0 : label));
  expectBelow(`${where}: next sentence label`, labels, 2, 1);
}

/** Tokens as rows of one length. */
export interface TokensOfBatch {
  readonly seqLength: number;
  /** int32 [rows * seqLength] each. */
  readonly inputIds: Int32Array;
  readonly tokenTypeIds: Int32Array;
}

/**
 * Checks that the tokens of a batch can be looked up in the model's tables.
 * @throws {DataError} that names the first id out of range.
 */
export function checkTokens(
  { seqLength, inputIds, tokenTypeIds }: TokensOfBatch,
  config: BertConfig,
  where: string,
): void {
  if (seqLength > config.maxPositionEmbeddings) {
    throw new DataError({
      where,
      expected: `sequences of at most ${config.maxPositionEmbeddings} tokens`,
      got: seqLength,
      hint: "Make the data anew with a smaller --max-seq-length.",
    });
  }
  expectBelow(`${where}: input id`, inputIds, config.vocabSize, seqLength);
  expectBelow(`${where}: token type id`, tokenTypeIds, config.typeVocabSize, seqLength);
}

function expectBelow(where: string, values: Int32Array, limit: number, rowLength: number): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (value >= 0 && value < limit) continue;
    throw new DataError({
      where: `${where} [${Math.floor(i / rowLength)}, ${i % rowLength}]`,
      expected: `a number from 0 to ${limit - 1}`,
      got: value,
      hint: "The data were made for another vocabulary or are damaged; make them anew with zhbert data.",
    });
  }
}

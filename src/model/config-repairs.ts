/** Configs that are wrong in a known way, and those that are not there: what the vocabulary and the weights tell. */
import type { LazyTensors } from "../checkpoint/format.ts";
import type { Vocabulary } from "../text/vocabulary.ts";
import { type BertConfig, MAX_LAYERS } from "./config.ts";

/** A config, and what was changed or assumed, for people. */
export interface RepairedConfig {
  readonly config: BertConfig;
  readonly notes: readonly string[];
}

/**
 * Repairs what published configs are known to have wrong: pad_token_id 1 in RoBERTa-wwm-ext (a RoBERTa's), while [PAD]
 * of its vocabulary is 0.
 */
export function repairConfig(config: BertConfig, vocabulary: Pick<Vocabulary, "ids">): RepairedConfig {
  const { pad } = vocabulary.ids;
  if (config.padTokenId === pad) return { config, notes: [] };
  return {
    config: { ...config, padTokenId: pad },
    notes: [`pad_token_id ${config.padTokenId} of the config is taken as ${pad}, the id of [PAD] in the vocabulary`],
  };
}

/** BERT's heads have 64 columns; the four-layer students of 312 columns have 12 heads. */
const HEAD_SIZE = 64;
const STUDENT_HEADS = 12;

/**
 * The config of weights that came without one, from their shapes; what no shape tells is as in BERT's own code.
 * @param tensors - under Transformers' names.
 * @returns undefined when the embeddings or layers are not there, or are more than any BERT has.
 */
export function inferConfig(tensors: LazyTensors): RepairedConfig | undefined {
  const sizes = (name: string) => tensors.get(name)?.shape ?? [];
  const [vocabSize, hiddenSize] = sizes("bert.embeddings.word_embeddings.weight");
  const [intermediateSize] = sizes("bert.encoder.layer.0.intermediate.dense.weight");
  const [maxPositionEmbeddings] = sizes("bert.embeddings.position_embeddings.weight");
  const [typeVocabSize] = sizes("bert.embeddings.token_type_embeddings.weight");
  if (!vocabSize || !hiddenSize || !intermediateSize || !maxPositionEmbeddings || !typeVocabSize) return undefined;
  const numHiddenLayers = countLayers(tensors);
  if (numHiddenLayers > MAX_LAYERS) return undefined;
  const numAttentionHeads = assumedHeads(hiddenSize);
  return {
    config: {
      vocabSize,
      hiddenSize,
      numHiddenLayers,
      numAttentionHeads,
      intermediateSize,
      hiddenAct: "gelu",
      hiddenDropoutProb: 0.1,
      attentionProbsDropoutProb: 0.1,
      maxPositionEmbeddings,
      typeVocabSize,
      initializerRange: 0.02,
      layerNormEps: 1e-12,
      padTokenId: 0,
      positionEmbeddingType: "absolute",
    },
    notes: [
      `there is no config: sizes are those of the weights; ${numAttentionHeads} heads of ${hiddenSize / numAttentionHeads} and gelu are assumed`,
    ],
  };
}

function countLayers(tensors: LazyTensors): number {
  let count = 0;
  while (count <= MAX_LAYERS && tensors.has(`bert.encoder.layer.${count}.attention.self.query.weight`)) count++;
  return count;
}

function assumedHeads(hiddenSize: number): number {
  if (hiddenSize % HEAD_SIZE === 0) return hiddenSize / HEAD_SIZE;
  return hiddenSize % STUDENT_HEADS === 0 ? STUDENT_HEADS : 1;
}

/** What one pre-training example is, between making it, storing it and training on it. */

/**
 * One example as BERT's pre-training sees it, unpadded: `[CLS] A [SEP]` or `[CLS] A [SEP] B [SEP]`.
 * The masks are applied; `originalIds` undoes them. Source: create_pretraining_data.py of google-research/bert.
 */
export interface PretrainingInstance {
  /** int32 [seq]; ids as the model sees them, masks applied. */
  readonly inputIds: Int32Array;
  /** uint8 [seq]; 0 for segment A, 1 for segment B. */
  readonly tokenTypeIds: Uint8Array;
  /** uint8 [seq]; 1 where a word begins (special tokens begin a word), 0 where a token continues one. */
  readonly wordStarts: Uint8Array;
  /** int32 [predictions]; ascending positions to predict. */
  readonly maskedLmPositions: Int32Array;
  /** int32 [predictions]; the original ids at these positions. */
  readonly maskedLmIds: Int32Array;
  /** 0 when B follows A; 1 when it is random or, for sentence order prediction, comes before A; 0 where there is no pair. */
  readonly nextSentenceLabel: 0 | 1;
}

/** The ids of an instance before masking; int32 [seq]. */
export function originalIds(instance: PretrainingInstance): Int32Array {
  const ids = instance.inputIds.slice();
  instance.maskedLmPositions.forEach((position, i) => {
    ids[position] = instance.maskedLmIds[i] as number;
  });
  return ids;
}

/** The next sentence label of rows that only fill a batch; PyTorch's ignore_index. */
export const IGNORED_LABEL = -100;

/** A padded batch, the input of a training step. Padding is id 0, mask 0, weight 0. */
export interface PretrainingBatch {
  readonly batchSize: number;
  readonly seqLength: number;
  readonly maxPredictions: number;
  /** int32 [batch, seq]. */
  readonly inputIds: Int32Array;
  /** int32 [batch, seq]. */
  readonly tokenTypeIds: Int32Array;
  /** int32 [batch, seq]; 1 for tokens, 0 for padding. */
  readonly attentionMask: Int32Array;
  /** int32 [batch, predictions]; positions within the row; unused slots 0. */
  readonly maskedLmPositions: Int32Array;
  /** int32 [batch, predictions]. */
  readonly maskedLmIds: Int32Array;
  /** float32 [batch, predictions]; 1 for real slots, 0 for unused ones. */
  readonly maskedLmWeights: Float32Array;
  /**
   * int32 [batch, predictions]; where all tokens of a word of several are predicted, the slot of its first token within the
   * row, else -1. Only evaluation reads it; without it no words are measured.
   */
  readonly maskedWords?: Int32Array;
  /** int32 [batch]; 0, 1, or IGNORED_LABEL. */
  readonly nextSentenceLabels: Int32Array;
}

/** BERT's input: token, segment and position embeddings, summed and normalised (Devlin et al. 2018, figure 2). */
import { ShapeError, verbatim } from "../errors.ts";
import { product } from "../graph/dims.ts";
import type { Tensor } from "../graph/graph.ts";
import { add } from "../graph/ops/arithmetic.ts";
import { constant } from "../graph/ops/constant.ts";
import { gather } from "../graph/ops/gather.ts";
import { layerNorm } from "../graph/ops/layer-norm.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { slice } from "../graph/ops/slice.ts";
import type { BertConfig } from "./config.ts";
import type { ModelContext } from "./context.ts";

function rowsOf(table: Tensor, ids: Tensor): Tensor {
  return gather(table, reshape(ids, [product(ids.shape)]));
}

/**
 * The vector of each token.
 * @param inputIds - int32 or int64 [batch, seq], in 0 .. vocabSize - 1.
 * @param table - float32 [vocabSize, hiddenSize].
 * @returns float32 [batch * seq, hiddenSize].
 * Source: Devlin et al. 2018, section 3.
 */
export function tokenEmbedding(inputIds: Tensor, table: Tensor): Tensor {
  return rowsOf(table, inputIds);
}

/**
 * The vector of each token's segment.
 * @param tokenTypeIds - int32 or int64 [batch, seq]; 0 for sentence A, 1 for sentence B.
 * @param table - float32 [typeVocabSize, hiddenSize].
 * @returns float32 [batch * seq, hiddenSize].
 * Source: Devlin et al. 2018, section 3.
 */
export function segmentEmbedding(tokenTypeIds: Tensor, table: Tensor): Tensor {
  return rowsOf(table, tokenTypeIds);
}

/**
 * The learned vector of each position.
 * @param seq - the length of the sequences, a number or the name of the axis.
 * @param table - float32 [maxPositionEmbeddings, hiddenSize].
 * @returns float32 [seq, hiddenSize].
 * @throws {ShapeError} when `seq` is longer than the table.
 * Source: Devlin et al. 2018, section 3.
 */
export function positionEmbedding(seq: number | string, table: Tensor): Tensor {
  return slice(table, 0, 0, seq);
}

/** The base of the wave lengths. */
const WAVE_BASE = 10_000;

/**
 * The fixed vector of each position: sines at even, cosines at odd places, of wave lengths from 2 pi to 10000 * 2 pi.
 * @param maxPositions - rows.
 * @param hiddenSize - columns.
 * @returns float32 [maxPositions, hiddenSize], in [-1, 1].
 * Source: Vaswani et al. 2017, section 3.5.
 */
export function positionalEncoding(maxPositions: number, hiddenSize: number): Tensor {
  const values = new Float32Array(maxPositions * hiddenSize);
  for (let at = 0; at < values.length; at++) {
    const [position, column] = [Math.floor(at / hiddenSize), at % hiddenSize];
    const angle = position / WAVE_BASE ** ((column - (column % 2)) / hiddenSize);
    values[at] = column % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  }
  return constant("float32", [maxPositions, hiddenSize], values);
}

/**
 * The sum of the three embeddings, normalised, with dropout.
 * @param inputIds - int32 or int64 [batch, seq].
 * @param tokenTypeIds - int32 or int64 [batch, seq].
 * @returns float32 [batch * seq, hiddenSize].
 * @throws {ShapeError} when the sequence is longer than maxPositionEmbeddings.
 * Source: modeling.py (embedding_postprocessor) of google-research/bert.
 */
export function bertEmbeddings(
  context: ModelContext,
  config: BertConfig,
  inputIds: Tensor,
  tokenTypeIds: Tensor,
): Tensor {
  const { hiddenSize, vocabSize, typeVocabSize } = config;
  const [batch, seq] = inputIds.shape as [number | string, number | string];
  const table = (name: string, rows: number) => context.parameter(`bert.embeddings.${name}.weight`, [rows, hiddenSize]);
  const tokens = tokenEmbedding(inputIds, table("word_embeddings", vocabSize));
  const segments = segmentEmbedding(tokenTypeIds, table("token_type_embeddings", typeVocabSize));
  const positions = positionsOf(config, seq, table);
  // [B*S, H] -> [B, S, H], so that the positions [S, H] broadcast over the batch
  const sum = add(reshape(add(tokens, segments), [batch, seq, hiddenSize]), positions);
  const normalized = layerNorm(
    reshape(sum, [product([batch, seq]), hiddenSize]),
    context.parameter("bert.embeddings.LayerNorm.weight", [hiddenSize]),
    context.parameter("bert.embeddings.LayerNorm.bias", [hiddenSize]),
    config.layerNormEps,
  );
  return context.dropout("embeddings", normalized, config.hiddenDropoutProb);
}

function positionsOf(config: BertConfig, seq: number | string, table: (name: string, rows: number) => Tensor): Tensor {
  const { hiddenSize, maxPositionEmbeddings } = config;
  if (typeof seq === "number" && seq > maxPositionEmbeddings) {
    throw new ShapeError({
      where: "bertEmbeddings: sequence length",
      expected: `at most ${maxPositionEmbeddings} (max_position_embeddings)`,
      got: verbatim(`${seq}`),
      hint: "cut the text into windows, or truncate it",
    });
  }
  return positionEmbedding(
    seq,
    config.positionEmbeddingType === "sinusoidal"
      ? positionalEncoding(maxPositionEmbeddings, hiddenSize)
      : table("position_embeddings", maxPositionEmbeddings),
  );
}

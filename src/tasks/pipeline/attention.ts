/** Where a model's layers attend for an example. */
import { hostTensor } from "../../util/tensor.ts";
import type { TaskRow, TokenSequence } from "../task.ts";
import type { AnyTaskModel } from "./explain.ts";
import { attentionGraph, attentionName } from "./explain-graph.ts";

/** Where a model's layers attend in a sequence. */
export interface AttentionMaps {
  /** With [CLS] and [SEP]. */
  readonly tokens: readonly string[];
  /** By layer and head: float32 [tokens, tokens], flat; row i is how token i attends to all, and sums to 1. */
  readonly layers: readonly (readonly Float32Array[])[];
}

/**
 * The attention of every layer and head over each sequence that the model reads for an example: one, the windows that its scores
 * are from, each choice with its context, or each text of a pair that is read apart.
 * @throws {ArgumentError} when the example has no score. @throws {DataError} when it does not fit the task.
 * Source: Vaswani et al. 2017, section 3.2.
 */
export async function attentionMaps(model: AnyTaskModel, example: object): Promise<readonly AttentionMaps[]> {
  const { task, tokenizer } = model;
  const { explaining } = task;
  const encoded = task.encode(example, tokenizer);
  const scores = explaining.explained(example, encoded, await model.scores(encoded.rows));
  const rows = [...new Set(scores.flatMap((score) => score.rows))].sort((a, b) => a - b);
  const { places } = explaining.sources(example, encoded, tokenizer);
  // Tagging that found nothing was read all the same.
  const read = (rows.length > 0 ? rows : [0]).flatMap((row) => {
    const first = row * task.sequencesPerRow;
    return Array.from({ length: task.sequencesPerRow }, (_, i) => first + i);
  });
  const sequences = (encoded.rows as readonly TaskRow[]).flatMap((row) => row.sequences);
  const maps: AttentionMaps[] = [];
  for (const at of read) {
    if (places[at]?.length) maps.push(await mapsOf(model, sequences[at] as TokenSequence));
  }
  return maps;
}

async function mapsOf(model: AnyTaskModel, { ids, typeIds }: TokenSequence): Promise<AttentionMaps> {
  const program = await model.program("attention", attentionGraph);
  const row = (data: Int32Array) => hostTensor("int32", [1, data.length], data);
  const outputs = await program.run({
    input_ids: row(ids),
    token_type_ids: row(typeIds),
    attention_mask: row(new Int32Array(ids.length).fill(1)),
  });
  const size = ids.length ** 2;
  const layers = Array.from({ length: model.config.numHiddenLayers }, (_, layer) => {
    const data = outputs[attentionName(layer + 1)]?.data as Float32Array;
    return Array.from({ length: model.config.numAttentionHeads }, (__, head) =>
      data.slice(head * size, (head + 1) * size),
    );
  });
  return { tokens: model.tokenizer.convertIdsToTokens(ids), layers };
}

/** Checkpoints written in several files of bounded size with an index as JSON, as Transformers saves large models. */
import { bytesPerElement, elementCount } from "../util/tensor.ts";
import type { CheckpointFormat, LazyTensor, LazyTensors, OutputFile } from "./format.ts";

type Metadata = Readonly<Record<string, string>>;

/** The bytes that a tensor takes in a file. */
export function tensorSize({ dtype, shape }: LazyTensor): number {
  return bytesPerElement(dtype) * elementCount(shape);
}

/**
 * The files of a checkpoint, in shards where the tensors take more than a limit: `model-00001-of-00003.safetensors` and
 * so on, then `model.safetensors.index.json`.
 * @param write - of a format that writes a single file. @param tensors - in the order of their places.
 * @param maxBytes - of the tensors of one file; a larger tensor gets a file of its own.
 * Source: split_torch_state_dict_into_shards of huggingface/huggingface_hub.
 */
export function* shardedFiles(
  write: NonNullable<CheckpointFormat["write"]>,
  tensors: LazyTensors,
  maxBytes: number,
  metadata?: Metadata,
): Generator<OutputFile> {
  const shards = splitTensors(tensors, maxBytes);
  if (shards.length <= 1) {
    yield* write(tensors, metadata);
    return;
  }
  const places: Record<string, string> = {};
  let whole = "";
  for (const [i, shard] of shards.entries()) {
    for (const file of write(shard, metadata)) {
      whole = file.path;
      const path = shardName(whole, i + 1, shards.length);
      for (const name of shard.keys()) places[name] = path;
      yield { path, chunks: file.chunks };
    }
  }
  const total = [...tensors.values()].reduce((sum, tensor) => sum + tensorSize(tensor), 0);
  const index = { metadata: { total_size: total }, weight_map: sorted(places) };
  yield { path: `${whole}.index.json`, chunks: [new TextEncoder().encode(`${JSON.stringify(index, undefined, 2)}\n`)] };
}

/** In the order of the tensors; a shard is full when the next tensor would go over the limit. */
function splitTensors(tensors: LazyTensors, maxBytes: number): LazyTensors[] {
  const shards: Map<string, LazyTensor>[] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const [name, tensor] of tensors) {
    if (bytes + tensorSize(tensor) > maxBytes) {
      shards.push(new Map());
      bytes = 0;
    }
    shards.at(-1)?.set(name, tensor);
    bytes += tensorSize(tensor);
  }
  return shards;
}

function shardName(path: string, number: number, count: number): string {
  const five = (value: number) => String(value).padStart(5, "0");
  const dot = path.lastIndexOf(".");
  return `${path.slice(0, dot)}-${five(number)}-of-${five(count)}${path.slice(dot)}`;
}

function sorted(record: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
}

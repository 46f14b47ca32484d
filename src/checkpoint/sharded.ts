/** Checkpoints in several files with an index as JSON, as Transformers saves large models. */
import { verbatim } from "../errors.ts";
import type { Checkpoint, LazyTensor } from "./format.ts";
import { type ByteSource, damaged, type ModelFiles, noSuchFile } from "./source.ts";

/** An index lists names, some 100 bytes each; JSON becomes objects of many times its length. */
const MAX_INDEX_BYTES = 1 << 23;

/**
 * Opens the shards that an index names.
 * @param path - of the index: `model.safetensors.index.json`.
 * @param openShard - opens one shard.
 * @throws {CheckpointError} when the index is malformed, leaves the folder, or does not fit its shards.
 */
export async function openSharded(
  files: ModelFiles,
  path: string,
  openShard: (source: ByteSource) => Checkpoint | Promise<Checkpoint>,
): Promise<Checkpoint> {
  const index = await files.open(path);
  const shardOf = readIndex(index);
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  const tensors = new Map<string, LazyTensor>();
  let first: Checkpoint | undefined;
  for (const file of new Set(shardOf.values())) {
    if (!files.paths.includes(folder + file)) throw noSuchFile(index.name, file, files.paths);
    const source = await files.open(folder + file);
    const shard = await openShard(source);
    first ??= shard;
    for (const [name, tensor] of shard.tensors) {
      if (shardOf.get(name) !== file) {
        throw damaged(source.name, 0, `only tensors that ${path} places here`, name);
      }
      tensors.set(name, tensor);
    }
  }
  const lost = [...shardOf.keys()].find((name) => !tensors.has(name));
  if (lost !== undefined) throw damaged(index.name, 0, `tensor "${lost}" in ${shardOf.get(lost)}`, undefined);
  const { format = "", metadata = {}, notes = [] } = first ?? {};
  return { format, tensors, metadata, notes };
}

/** The shard of each tensor, by name. */
function readIndex(index: ByteSource): Map<string, string> {
  if (index.size > MAX_INDEX_BYTES) {
    throw damaged(index.name, 0, `an index of at most ${MAX_INDEX_BYTES} bytes`, `${index.size}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(index.slice(0, index.size)));
  } catch (cause) {
    throw damaged(index.name, 0, "JSON in UTF-8", (cause as Error).message, cause);
  }
  const map = (json as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== "object" || map === null || Array.isArray(map) || Object.keys(map).length === 0) {
    throw damaged(index.name, 0, "a weight_map from names to files", JSON.stringify(map));
  }
  for (const [name, file] of Object.entries(map)) {
    if (typeof file === "string" && /^[^/\\\0]+$/.test(file) && file !== "..") continue;
    throw damaged(index.name, 0, `the name of a file in the same folder for "${name}"`, String(verbatim(String(file))));
  }
  return new Map(Object.entries(map) as [string, string][]);
}

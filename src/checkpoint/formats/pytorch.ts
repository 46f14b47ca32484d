/** PyTorch's files of weights: torch.save of a state dict, in the zip format and the legacy one, sharded or not. */
import type { Checkpoint, CheckpointFormat, LazyTensor } from "../format.ts";
import { isTorchFile, loadTorch, torchDangers } from "../pytorch/containers.ts";
import { ForeignTensor, TorchTensor, torchLazyTensor } from "../pytorch/objects.ts";
import { torchChunks } from "../pytorch/write.ts";
import { openSharded } from "../sharded.ts";
import type { ByteSource } from "../source.ts";
import { findStateDict } from "../state-dict.ts";

const format: CheckpointFormat = {
  name: "pytorch",
  title: "PyTorch",
  // What trainers and OpenVINO save beside the weights is left out.
  fileNames: [
    /^pytorch_model\.bin$/,
    /^pytorch_model\.bin\.index\.json$/,
    /^(?!training_args|optimizer|scheduler|scaler|rng_state|openvino).+\.(?:bin|pt|pth)$/,
    /\.bin\.index\.json$/,
  ],
  recognizes: isTorchFile,
  async open(files, path) {
    if (path.endsWith(".json")) return openSharded(files, path, openFile);
    return openFile(await files.open(path));
  },
  async findDangers(files, path) {
    const lines: string[] = [];
    for (const file of filesOf(files.paths, path)) lines.push(...(await torchDangers(await files.open(file))));
    return lines;
  },
  write: (tensors) => [{ path: "pytorch_model.bin", chunks: torchChunks(tensors) }],
};
export default format;

function openFile(source: ByteSource): Checkpoint {
  const { tensors: found, notes } = findStateDict(loadTorch(source), source.name, asTensor);
  const tensors = new Map<string, LazyTensor>();
  // Tied weights, two names of the same elements, become one object: so they are known to be tied, and written once.
  const known = new Map<string, LazyTensor>();
  for (const [name, value] of found) {
    const key = value instanceof TorchTensor ? value.identity : name;
    const tensor = known.get(key) ?? torchLazyTensor(name, value);
    known.set(key, tensor);
    tensors.set(name, tensor);
  }
  return { format: "pytorch", tensors, metadata: {}, notes };
}

function asTensor(value: unknown): TorchTensor | ForeignTensor | undefined {
  return value instanceof TorchTensor || value instanceof ForeignTensor ? value : undefined;
}

/** The files to look through for one that a checkpoint is opened by: of an index, all beside it. */
function filesOf(paths: readonly string[], path: string): string[] {
  if (!path.endsWith(".json")) return [path];
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  return paths.filter((other) => other.startsWith(folder) && /^[^/]+\.bin$/.test(other.slice(folder.length)));
}

/**
 * Files that `torch.load(path, weights_only=True)` reads, also with `mmap=True`: a zip archive of stored entries with an
 * OrderedDict in data.pkl. A tensor under two names is written once. Source: torch/serialization.py of PyTorch (_save).
 */
import { type DType, elementCount, tensorBytes } from "../../util/tensor.ts";
import type { LazyTensor, LazyTensors } from "../format.ts";
import { PickleWriter } from "../pickle-writer.ts";
import { rowMajorStrides } from "../strided.ts";
import { type ZipInput, zipChunks } from "../zip-writer.ts";

/** The folder in the archive; torch takes the file's name, and reads any. */
const ROOT = "pytorch_model";

const storageNames: Readonly<Record<DType, string>> = {
  float64: "DoubleStorage",
  float32: "FloatStorage",
  float16: "HalfStorage",
  bfloat16: "BFloat16Storage",
  int64: "LongStorage",
  int32: "IntStorage",
  int8: "CharStorage",
  uint8: "ByteStorage",
  bool: "BoolStorage",
};

/** The chunks of a file, each tensor read when its chunk is taken. */
export function torchChunks(tensors: LazyTensors): Generator<Uint8Array> {
  return zipChunks(archiveEntries(tensors));
}

function* archiveEntries(tensors: LazyTensors): Generator<ZipInput> {
  const storages = [...new Set(tensors.values())];
  const text = (path: string, content: string): ZipInput => {
    return { path: `${ROOT}/${path}`, read: () => new TextEncoder().encode(content) };
  };
  yield { path: `${ROOT}/data.pkl`, read: () => stateDict(tensors, storages) };
  yield text(".format_version", "1");
  yield text(".storage_alignment", "64");
  yield text("byteorder", "little");
  for (const [key, tensor] of storages.entries()) {
    yield { path: `${ROOT}/data/${key}`, read: () => tensorBytes(tensor.read()) };
  }
  yield text("version", "3\n");
}

/** OrderedDict of names to _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks). */
function stateDict(tensors: LazyTensors, storages: readonly LazyTensor[]): Uint8Array {
  const keys = new Map(storages.map((tensor, key) => [tensor, `${key}`]));
  const pickle = new PickleWriter(2);
  pickle.global("collections", "OrderedDict").tuple([]).op("REDUCE").op("MARK");
  for (const [name, tensor] of tensors) {
    const { dtype, shape } = tensor;
    pickle.text(name).global("torch._utils", "_rebuild_tensor_v2").op("MARK");
    pickle
      .op("MARK")
      .text("storage")
      .global("torch", storageNames[dtype])
      .text(keys.get(tensor) as string);
    pickle.text("cpu").integer(elementCount(shape)).op("TUPLE").op("BINPERSID");
    pickle.integer(0).tuple(shape).tuple(rowMajorStrides(shape)).op("NEWFALSE");
    pickle.global("collections", "OrderedDict").tuple([]).op("REDUCE");
    pickle.op("TUPLE").op("REDUCE");
  }
  return pickle.op("SETITEMS").finish();
}

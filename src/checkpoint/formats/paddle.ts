/** Paddle's .pdparams: a pickle of a dict of NumPy arrays; large ones in parts, bfloat16 as uint16. */
import { elementCount, type HostTensor, tensorBytes, tensorFromBytes } from "../../util/tensor.ts";
import type { Checkpoint, CheckpointFormat, LazyTensor } from "../format.ts";
import { NumpyArray, numpyLazyTensor, numpyRules } from "../paddle/numpy-objects.ts";
import { NAME_TABLE, paddleChunks } from "../paddle/write.ts";
import { readPickle, scanPickle } from "../pickle.ts";
import { formatValue, PickleDict } from "../pickle-values.ts";
import { type ByteSource, damaged } from "../source.ts";
import { findStateDict } from "../state-dict.ts";

/** The entry that says of which parts an array was put together; protocols below 4 end at 4 GiB. */
const PARTS_TABLE = "UnpackBigParamInfor@@";

const format: CheckpointFormat = {
  name: "paddle",
  title: "Paddle",
  fileNames: [/^model_state\.pdparams$/, /\.pdparams$/],
  // A pickle that begins with a dict; from protocol 4 on a frame comes first.
  recognizes: ([mark, protocol = 0, first, ...rest]) =>
    mark === 0x80 && protocol >= 2 && protocol <= 5 && (first === 0x7d || (first === 0x95 && rest[8] === 0x7d)),
  async open(files, path) {
    return openFile(await files.open(path));
  },
  async findDangers(files, path) {
    return scanPickle(await files.open(path), 0, numpyRules).findings;
  },
  write: (tensors) => [{ path: "model_state.pdparams", chunks: paddleChunks(tensors) }],
};
export default format;

function openFile(source: ByteSource): Checkpoint {
  const { value, end } = readPickle(source, 0, numpyRules);
  if (end !== source.size) throw damaged(source.name, end, "the end of the file", `${source.size - end} bytes more`);
  const isOwn = (name: string) => name === NAME_TABLE || name === PARTS_TABLE;
  const { tensors: arrays, notes } = findStateDict(value, source.name, asArray, isOwn);
  const tensors = new Map<string, LazyTensor>();
  for (const [name, array] of arrays) tensors.set(name, numpyLazyTensor(name, array, source.name));
  joinParts(source, value, tensors);
  const halves = [...tensors.values()].filter(({ dtype }) => dtype === "bfloat16").length;
  const note = `${halves} tensors of uint16 were read as bfloat16, which Paddle stores so`;
  return { format: "paddle", tensors, metadata: {}, notes: halves > 0 ? [...notes, note] : notes };
}

/** An array, or the (name, array) of a tensor that was saved by itself. */
function asArray(value: unknown): NumpyArray | undefined {
  const array = Array.isArray(value) && value.length === 2 && typeof value[0] === "string" ? value[1] : value;
  return array instanceof NumpyArray ? array : undefined;
}

/** Puts tensors in the place of their parts. */
function joinParts(source: ByteSource, saved: unknown, tensors: Map<string, LazyTensor>): void {
  const table = saved instanceof PickleDict ? saved.entries.get(PARTS_TABLE) : undefined;
  if (!(table instanceof PickleDict)) return;
  for (const [name, entry] of table.entries) {
    const shape = entry instanceof PickleDict ? entry.entries.get("OriginShape") : undefined;
    const slices = entry instanceof PickleDict ? entry.entries.get("slices") : undefined;
    const isShape = Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size >= 0);
    if (typeof name !== "string" || !isShape || !Array.isArray(slices) || tensors.has(name)) {
      throw damaged(source.name, 0, `OriginShape and slices of ${formatValue(name)} in ${PARTS_TABLE}`, "other values");
    }
    const parts = slices.map((slice) => {
      const part = tensors.get(slice);
      tensors.delete(slice);
      return part;
    });
    tensors.set(name, joined(source, name, shape as number[], parts));
  }
}

function joined(
  source: ByteSource,
  name: string,
  shape: readonly number[],
  parts: readonly (LazyTensor | undefined)[],
): LazyTensor {
  const known = parts.filter((part) => part !== undefined);
  const dtype = known[0]?.dtype;
  const count = known.reduce((sum, part) => sum + elementCount(part.shape), 0);
  const isWhole = known.length === parts.length && known.every((part) => part.dtype === dtype);
  if (dtype === undefined || !isWhole || count !== elementCount(shape)) {
    throw damaged(source.name, 0, `parts of "${name}" with ${elementCount(shape)} elements, each once`, `${count}`);
  }
  const read = (): HostTensor => {
    const pieces = known.map((part) => tensorBytes(part.read()));
    const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return tensorFromBytes(dtype, shape, bytes);
  };
  return { dtype, shape, read };
}

/**
 * Keras's HDF5 files as Transformers saved them (tf_model.h5): datasets in groups; a tensor's name is its dataset's path.
 *
 * Links are not followed, and nothing outside the file is opened. Source: keras/src/legacy/saving/legacy_h5_format.py.
 */
import { bytesPerElement, type DType, elementCount, type HostTensor, tensorFromBytes } from "../../util/tensor.ts";
import type { Checkpoint, CheckpointFormat, LazyTensor } from "../format.ts";
import { type Hdf5File, loadHdf5, withHdf5File } from "../hdf5-file.ts";
import { type ByteSource, damaged } from "../source.ts";

const SIGNATURE = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
/** A large BERT has some 400 datasets in 1,000 groups; groups may contain each other, so their number bounds the walk. */
const MAX_OBJECTS = 20_000;
/** Transformers' names have up to ten parts. */
const MAX_DEPTH = 32;
/** Weights hardly pack; a file that claims more than this times its size is no honest one. */
const MAX_RATIO = 20;
/** The library holds a chunk, and a row of a dataset, in its own memory while it reads them. */
const MAX_PIECE_BYTES = 64 * 1024 * 1024;
/** Rows are read together up to this. */
const READ_BYTES = 4 * 1024 * 1024;
const MAX_NOTES = 20;

const format: CheckpointFormat = {
  name: "keras-h5",
  title: "Keras HDF5",
  fileNames: [/^tf_model\.h5$/, /\.(h5|hdf5)$/],
  recognizes: (head) => SIGNATURE.every((byte, i) => head[i] === byte),
  async open(files, path) {
    const source = await files.open(path);
    const module = await loadHdf5();
    const walk: Walk = { source, datasets: new Map(), notes: [], objects: 0 };
    withHdf5File(module, source, (file) => walkGroup(file, "", 0, walk));
    expectPlausible(walk);
    const tensors = new Map<string, LazyTensor>();
    for (const [name, dataset] of walk.datasets) {
      const { dtype, shape } = dataset;
      const read = () => withHdf5File(module, source, (file) => readDataset(file, source, name, dataset));
      tensors.set(name, { dtype, shape, read });
    }
    return { format: format.name, tensors, metadata: {}, notes: limited(walk.notes) } satisfies Checkpoint;
  },
};
export default format;

interface Dataset {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** The shape of its chunks; null where it lies in one piece. */
  readonly chunks: readonly number[] | null;
}

/** What was found so far. */
interface Walk {
  readonly source: ByteSource;
  readonly datasets: Map<string, Dataset>;
  readonly notes: string[];
  objects: number;
}

function walkGroup(file: Hdf5File, path: string, depth: number, walk: Walk): void {
  const { name } = walk.source;
  if (depth > MAX_DEPTH) throw damaged(name, 0, `groups within ${MAX_DEPTH} others at most`, `/${path}`);
  for (const key of file.module.get_names(file.id, `/${path}`, false)) {
    if (++walk.objects > MAX_OBJECTS) throw damaged(name, 0, `at most ${MAX_OBJECTS} groups and datasets`, "more");
    visit(file, path === "" ? key : `${path}/${key}`, depth, walk);
  }
}

function visit({ module, id }: Hdf5File, path: string, depth: number, walk: Walk): void {
  // Asked first: a link that leads somewhere looks like what it leads to.
  if (module.get_symbolic_link(id, `/${path}`)) {
    walk.notes.push(`${path} was left out: it is a link`);
    return;
  }
  switch (module.get_type(id, `/${path}`)) {
    case module.H5G_GROUP:
      walkGroup({ module, id }, path, depth + 1, walk);
      return;
    case module.H5G_DATASET:
      visitDataset({ module, id }, path, walk);
      return;
    case module.H5G_UDLINK:
      walk.notes.push(`${path} was left out: it is a link to another file, which is not opened`);
      return;
    default:
      walk.notes.push(`${path} was left out: it is no dataset`);
  }
}

function visitDataset({ module, id }: Hdf5File, path: string, walk: Walk): void {
  const { type, size, signed, littleEndian, shape, chunks, virtual_sources, enum_type } = module.get_dataset_metadata(
    id,
    `/${path}`,
  );
  const members = Object.keys(enum_type?.members ?? {});
  const dtype = dtypeOf(String(type), size, signed, members);
  if (dtype === undefined || shape === null || virtual_sources !== undefined || (!littleEndian && size > 1)) {
    walk.notes.push(`${path} was left out: its elements are no little-endian numbers in this file`);
    return;
  }
  walk.datasets.set(path, { dtype, shape, chunks });
}

/** HDF5's classes of types: 0 integers, 1 floats, 8 enumerations, which h5py takes for booleans. */
function dtypeOf(type: string, size: number, signed: boolean, members: readonly string[]): DType | undefined {
  if (type === "8") return size === 1 && String(members) === "FALSE,TRUE" ? "bool" : undefined;
  if (type === "1") return ({ 2: "float16", 4: "float32", 8: "float64" } as const)[size];
  if (type === "0" && signed) return ({ 1: "int8", 4: "int32", 8: "int64" } as const)[size];
  return type === "0" && size === 1 ? "uint8" : undefined;
}

/** @throws {CheckpointError} when datasets claim more bytes than the file can hold. */
function expectPlausible({ source, datasets }: Walk): void {
  let total = 0;
  for (const [name, { dtype, shape, chunks }] of datasets) {
    const width = bytesPerElement(dtype);
    const bytes = elementCount(shape) * width;
    total += bytes;
    const limit = source.size * (chunks === null ? 1 : MAX_RATIO);
    if (!(bytes <= limit && total <= source.size * MAX_RATIO)) {
      throw damaged(source.name, 0, `at most ${limit} bytes for "${name.slice(0, 100)}"`, `${bytes}`);
    }
    const piece = Math.max(elementCount(chunks ?? []), elementCount(shape.slice(1))) * width;
    if (piece > MAX_PIECE_BYTES) {
      throw damaged(source.name, 0, `rows and chunks of at most ${MAX_PIECE_BYTES} bytes`, `${piece} in "${name}"`);
    }
  }
}

/** Reads a dataset rows by rows through a small buffer in the library's memory. */
function readDataset({ module, id }: Hdf5File, source: ByteSource, name: string, dataset: Dataset): HostTensor {
  const { dtype, shape } = dataset;
  const metadata = module.get_dataset_metadata(id, `/${name}`);
  if (String(metadata.shape) !== String(shape)) throw damaged(source.name, 0, `"${name}" as it was`, "another shape");
  const [rows = 1, ...rest] = shape;
  const rowBytes = elementCount(rest) * bytesPerElement(dtype);
  const bytes = new Uint8Array(rows * rowBytes);
  const step = Math.max(1, Math.floor(READ_BYTES / Math.max(1, rowBytes)));
  const pointer = module._malloc(Math.min(bytes.length, step * rowBytes));
  try {
    for (let row = 0; row * rowBytes < bytes.length; row += step) {
      const count = Math.min(step, rows - row);
      const box = (first: number, others: readonly number[]) =>
        shape.length === 0 ? null : [first, ...others].map(BigInt);
      const zeros = rest.map(() => 0);
      const ones = rest.map(() => 1);
      const status = module.get_dataset_data(
        id,
        `/${name}`,
        box(count, rest),
        box(row, zeros),
        box(1, ones),
        BigInt(pointer),
      );
      if (status < 0) throw damaged(source.name, 0, `the bytes of "${name}"`, "an error of the HDF5 library");
      bytes.set(module.HEAPU8.subarray(pointer, pointer + count * rowBytes), row * rowBytes);
    }
  } finally {
    module._free(pointer);
  }
  return tensorFromBytes(dtype, shape, bytes);
}

function limited(notes: readonly string[]): readonly string[] {
  if (notes.length <= MAX_NOTES) return notes;
  return [...notes.slice(0, MAX_NOTES), `and ${notes.length - MAX_NOTES} others`];
}

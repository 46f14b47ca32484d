/**
 * What torch.save puts into a pickle: storages, tensors that are views of them, and the globals that make these.
 * Source: torch/_utils.py and torch/_weights_only_unpickler.py of PyTorch.
 */
import { bytesPerElement, type DType, elementCount } from "../../util/tensor.ts";
import type { LazyTensor } from "../format.ts";
import {
  formatValue,
  PickleDict,
  type PickleFailure,
  PickleGlobal,
  type PickleList,
  type PickleRules,
} from "../pickle-values.ts";
import { type ByteSource, damaged } from "../source.ts";
import { orderedDict } from "../state-dict.ts";
import { readLayout, spanOf } from "../strided.ts";

/** torch's own limit. */
const MAX_AXES = 64;
/** An expanded tensor (stride 0) may have more elements than its storage; position ids do, weights do not. */
const MAX_REPEATED = 2 ** 20;

/** Element types by the names of their storages, with the bytes of those that zhbert has no tensors of. */
const storageTypes: Readonly<Record<string, DType>> = {
  DoubleStorage: "float64",
  FloatStorage: "float32",
  HalfStorage: "float16",
  BFloat16Storage: "bfloat16",
  LongStorage: "int64",
  IntStorage: "int32",
  CharStorage: "int8",
  ByteStorage: "uint8",
  BoolStorage: "bool",
};
const foreignStorages: Readonly<Record<string, readonly [name: string, bytes: number]>> = {
  ShortStorage: ["int16", 2],
  ComplexFloatStorage: ["complex64", 8],
  ComplexDoubleStorage: ["complex128", 16],
  QInt8Storage: ["qint8", 1],
  QUInt8Storage: ["quint8", 1],
  QInt32Storage: ["qint32", 4],
  QUInt4x2Storage: ["quint4x2", 1],
  QUInt2x4Storage: ["quint2x4", 1],
};
/** Of `torch.float32` and the like, for storages without a type. */
const DTYPES: readonly DType[] = [
  "float32",
  "float64",
  "float16",
  "bfloat16",
  "int64",
  "int32",
  "int8",
  "uint8",
  "bool",
];
const FOREIGN_DTYPES = [
  ...["int16", "uint16", "uint32", "uint64", "complex32", "complex64", "complex128", "qint8", "quint8", "qint32"],
  ...["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2"],
];

const CONVERT = "Save it with PyTorch as a dense tensor of float32, or leave it out.";

/** A block of elements that tensors are views of; its bytes are found after the pickle has been read. */
export class TorchStorage {
  /** Set when the storage has been found; the bytes of all its elements. */
  source: ByteSource | undefined;
  /** Checks the bytes against a checksum before they are first read. */
  check: () => void = () => undefined;

  constructor(
    readonly key: string,
    /** Of its elements; undefined for a storage of bytes without a type. */
    readonly dtype: string | undefined,
    readonly sizeBytes: number,
    /** 1 where the storage has no type. */
    readonly elementBytes: number,
  ) {}
}

/** Elements of a storage from `begin` on, in bytes, for views of storages in the legacy format. */
export interface StorageView {
  readonly storage: TorchStorage;
  readonly beginBytes: number;
}

/** A tensor as the pickle has it. */
export class TorchTensor {
  constructor(
    readonly view: StorageView,
    readonly dtype: string,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
    /** Of the first element, in elements. */
    readonly offset: number,
    /** Of the call that made it, for errors. */
    readonly failure: PickleFailure,
  ) {}

  /** The same for tensors of the same elements. */
  get identity(): string {
    const { view, dtype, shape, strides, offset } = this;
    return JSON.stringify([view.storage.key, view.beginBytes, dtype, shape, strides, offset]);
  }
}

/** A tensor of a kind that zhbert does not read: quantised, sparse, without data. */
export class ForeignTensor {
  constructor(
    readonly kind: string,
    readonly failure: PickleFailure,
  ) {}
}

/** The globals that torch's files of weights name, and the storages that a pickle asked for. */
export function torchRules(storages: Map<string, TorchStorage>): PickleRules {
  return {
    globals,
    // Plain values are null here; NumPy gives its dtypes a state.
    build: (target) => target === null,
    persistent: (id, failure) => findStorage(id, storages, failure),
  };
}

const foreign = (kind: string) => (_: PickleList, failure: PickleFailure) => new ForeignTensor(kind, failure);
/** Values that a checkpoint may hold beside tensors; what they are does not matter. */
const plain = () => null;

const globals: PickleRules["globals"] = new Map<string, ((args: PickleList, failure: PickleFailure) => unknown) | null>(
  [
    ["collections.OrderedDict", orderedDict],
    ["torch._utils._rebuild_tensor", rebuildTensor],
    ["torch._utils._rebuild_tensor_v2", rebuildTensor],
    ["torch._utils._rebuild_tensor_v3", rebuildTyped],
    ["torch._utils._rebuild_parameter", ([tensor]: PickleList) => tensor],
    ["torch._utils._rebuild_parameter_with_state", ([tensor]: PickleList) => tensor],
    ["torch._utils._rebuild_qtensor", foreign("quantised tensor")],
    ["torch._utils._rebuild_sparse_tensor", foreign("sparse tensor")],
    ["torch._utils._rebuild_sparse_csr_tensor", foreign("sparse tensor")],
    ["torch._utils._rebuild_nested_tensor", foreign("nested tensor")],
    ["torch._utils._rebuild_meta_tensor_no_storage", foreign("tensor without data")],
    ["torch.Size", ([sizes]: PickleList) => sizes],
    ["torch.device", plain],
    ["torch.serialization._get_layout", plain],
    ["collections.Counter", plain],
    ...["__builtin__.set", "builtins.set"].map((name) => [name, plain] as const),
    ["_codecs.encode", plain],
    ["numpy.dtype", plain],
    ["numpy.ndarray", null],
    ["numpy.core.multiarray._reconstruct", plain],
    ["numpy._core.multiarray._reconstruct", plain],
    ["numpy.core.multiarray.scalar", plain],
    ["numpy._core.multiarray.scalar", plain],
    ...["per_tensor_affine", "per_channel_affine", "per_channel_affine_float_qparams"].map(
      (name) => [`torch.${name}`, null] as const,
    ),
    ["torch.storage.UntypedStorage", null],
    ["torch.UntypedStorage", null],
    ...[...Object.keys(storageTypes), ...Object.keys(foreignStorages)].map((name) => [`torch.${name}`, null] as const),
    ...[...DTYPES, ...FOREIGN_DTYPES].map((name) => [`torch.${name}`, null] as const),
  ],
);

/** Arguments: storage, offset, size, stride, what training needs, and marks of a view. */
function rebuildTensor(args: PickleList, failure: PickleFailure): TorchTensor | ForeignTensor {
  const [view, offset, shape, strides, , , marks] = args;
  if (isNegated(marks)) return new ForeignTensor("view that negates its storage", failure);
  const { storage } = expectView(view, failure);
  return makeTensor(view as StorageView, storage.dtype ?? "uint8", offset, shape, strides, failure);
}

/** Arguments: as before, with the dtype of a storage without one before the marks. */
function rebuildTyped(args: PickleList, failure: PickleFailure): TorchTensor | ForeignTensor {
  const [view, offset, shape, strides, , , dtype, marks] = args;
  if (isNegated(marks)) return new ForeignTensor("view that negates its storage", failure);
  expectView(view, failure);
  if (!(dtype instanceof PickleGlobal)) throw failure("a dtype as seventh argument", formatValue(dtype));
  return makeTensor(view as StorageView, dtype.name.replace("torch.", ""), offset, shape, strides, failure);
}

/** Parts of conjugated tensors are views whose numbers have the other sign; torch marks them so. */
function isNegated(marks: unknown): boolean {
  return marks instanceof PickleDict && [...marks.entries.values()].includes(true);
}

function expectView(view: unknown, failure: PickleFailure): StorageView {
  if (typeof view === "object" && view !== null && "storage" in view && view.storage instanceof TorchStorage) {
    return view as StorageView;
  }
  throw failure("a storage for a tensor", formatValue(view));
}

function makeTensor(
  view: StorageView,
  dtype: string,
  offset: unknown,
  shape: unknown,
  strides: unknown,
  failure: PickleFailure,
): TorchTensor {
  if (!isCounts([offset])) throw failure("an offset of 0 or more elements", formatValue(offset));
  if (!isCounts(shape) || shape.length > MAX_AXES || !Number.isSafeInteger(elementCount(shape))) {
    throw failure(`a shape of at most ${MAX_AXES} sizes of 0 or more`, formatValue(shape));
  }
  if (!isCounts(strides) || strides.length !== shape.length) {
    throw failure(`${shape.length} strides of 0 or more elements`, formatValue(strides));
  }
  return new TorchTensor(view, dtype, [...shape], [...strides], offset as number, failure);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && count >= 0);
}

/** The storage of ("storage", type, key, device, elements) and, in the legacy format, a view of it. */
function findStorage(id: unknown, storages: Map<string, TorchStorage>, failure: PickleFailure): StorageView {
  const [tag, type, key, , elements, part] = Array.isArray(id) ? (id as PickleList) : [];
  if (tag !== "storage" || !(type instanceof PickleGlobal) || typeof key !== "string" || !isCounts([elements])) {
    throw failure('("storage", type, key, device, elements) as what lies outside', formatValue(id));
  }
  const name = type.name.slice(type.name.lastIndexOf(".") + 1);
  const dtype = storageTypes[name] ?? foreignStorages[name]?.[0];
  if (dtype === undefined && name !== "UntypedStorage") throw failure("the type of a storage", type.name);
  const width = name in storageTypes ? bytesPerElement(storageTypes[name] as DType) : (foreignStorages[name]?.[1] ?? 1);
  const sizeBytes = (elements as number) * width;
  const storage = storages.get(key) ?? new TorchStorage(key, dtype, sizeBytes, width);
  if (storage.dtype !== dtype || storage.sizeBytes !== sizeBytes) {
    throw failure(
      `storage ${key} as before: ${storage.sizeBytes} bytes of ${storage.dtype}`,
      `${sizeBytes} of ${dtype}`,
    );
  }
  storages.set(key, storage);
  if (part === undefined || part === null) return { storage, beginBytes: 0 };
  if (
    !Array.isArray(part) ||
    !isCounts(part.slice(1)) ||
    part.length !== 3 ||
    part[1] + part[2] > (elements as number)
  ) {
    throw failure(`a part (key, offset, elements) of storage ${key}`, "another");
  }
  return { storage, beginBytes: part[1] * width };
}

/**
 * A tensor that is read when it is asked for; its storage has been found.
 * @throws {CheckpointError} when it is of another kind or dtype, or not within its storage.
 */
export function torchLazyTensor(name: string, tensor: TorchTensor | ForeignTensor): LazyTensor {
  const { failure } = tensor;
  if (tensor instanceof ForeignTensor) throw failure(`a dense tensor "${name}"`, `a ${tensor.kind}`, CONVERT);
  const { view, shape, strides, offset } = tensor;
  const { storage, beginBytes } = view;
  const dtype = DTYPES.find((known) => known === tensor.dtype);
  if (dtype === undefined)
    throw failure(`tensor "${name}" of a dtype among ${DTYPES.join(", ")}`, tensor.dtype, CONVERT);
  const width = bytesPerElement(dtype);
  const layout = { dtype, shape, strides, offset: beginBytes / width + offset };
  const span = spanOf(layout);
  const end = (layout.offset + span) * width;
  if (!Number.isSafeInteger(layout.offset) || (span > 0 && end > storage.sizeBytes)) {
    throw failure(`tensor "${name}" within the ${storage.sizeBytes} bytes of its storage`, `an end at ${end}`);
  }
  const count = elementCount(shape);
  if (count * width > storage.sizeBytes && count > MAX_REPEATED) {
    throw failure(`at most ${Math.max(MAX_REPEATED, storage.sizeBytes / width)} elements of "${name}"`, `${count}`);
  }
  const { source } = storage;
  if (source === undefined) throw failure(`storage ${storage.key} of tensor "${name}"`, "none");
  if (source.size !== storage.sizeBytes) {
    throw damaged(source.name, 0, `${storage.sizeBytes} bytes of a storage`, `${source.size}`);
  }
  const read = () => {
    storage.check();
    return readLayout(source, span > 0 ? layout : { ...layout, offset: 0 });
  };
  return { dtype, shape, read };
}

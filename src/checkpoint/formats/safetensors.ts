/**
 * The safetensors format: a length, a JSON header, and the bytes of the tensors one after the other.
 *
 * Files are hostile input: every length and offset is checked against the file before it is used, and bytes that no
 * tensor owns are refused. Source: README and src/tensor.rs of huggingface/safetensors.
 */
import {
  bytesPerElement,
  type DType,
  elementCount,
  type HostTensor,
  type NamedTensors,
  tensorBytes,
  tensorFromBytes,
} from "../../util/tensor.ts";
import { type Checkpoint, type CheckpointFormat, type LazyTensor, type LazyTensors, lazyTensors } from "../format.ts";
import { openSharded } from "../sharded.ts";
import { type ByteSource, damaged } from "../source.ts";

/**
 * A BERT-large with its optimiser's state takes 200 KB. The original library allows 100 MB, but as JSON these can become
 * gigabytes of objects.
 */
const MAX_HEADER_BYTES = 1 << 23;
const LENGTH_BYTES = 8;

const DTYPES: Readonly<Record<string, DType>> = {
  F64: "float64",
  F32: "float32",
  F16: "float16",
  BF16: "bfloat16",
  I64: "int64",
  I32: "int32",
  I8: "int8",
  U8: "uint8",
  BOOL: "bool",
};
const NAMES = Object.fromEntries(Object.entries(DTYPES).map(([name, dtype]) => [dtype, name])) as Record<DType, string>;

/** Where one tensor lies in a file. */
export interface SafetensorsEntry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Offsets from the start of the file, in bytes; the end is not included. */
  readonly begin: number;
  readonly end: number;
}

/** What the header of a file says. */
export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order of their bytes. */
  readonly entries: readonly SafetensorsEntry[];
}

/**
 * The length of the header with its own length field, which a reader needs before it can read the header.
 * @param head - the first 8 bytes of the file or more. @param fileBytes - the size of the whole file.
 * @throws {CheckpointError} when the length does not fit the file.
 */
export function safetensorsHeaderBytes(head: Uint8Array, fileBytes: number, where = "safetensors"): number {
  if (head.length < LENGTH_BYTES) {
    throw damaged(where, head.length, "8 bytes with the length of the header", "the end of the file");
  }
  const length = new DataView(head.buffer, head.byteOffset, LENGTH_BYTES).getBigUint64(0, true);
  const limit = Math.min(MAX_HEADER_BYTES, fileBytes - LENGTH_BYTES);
  if (length < 2n || length > BigInt(limit)) {
    throw damaged(where, 0, `a header length from 2 to ${limit} (the file has ${fileBytes} bytes)`, `${length}`);
  }
  return LENGTH_BYTES + Number(length);
}

/**
 * Reads the header of a file without its tensors.
 * @param head - the file's first `safetensorsHeaderBytes` bytes or more. @param fileBytes - the size of the whole file.
 * @throws {CheckpointError} when the header is malformed, or its offsets overlap, leave bytes out or leave the file.
 */
export function readSafetensorsHeader(head: Uint8Array, fileBytes: number, where = "safetensors"): SafetensorsHeader {
  const dataStart = safetensorsHeaderBytes(head, fileBytes, where);
  const header = parseHeader(head.subarray(LENGTH_BYTES, dataStart), where);
  const { __metadata__: metadata, ...tensors } = header;
  const entries = Object.entries(tensors).map(([name, value]) => readEntry(name, value, dataStart, where));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let end = dataStart;
  for (const entry of entries) {
    if (entry.begin !== end) {
      throw damaged(
        where,
        entry.begin,
        `tensor "${entry.name}" to begin at ${end}, where the one before it ends`,
        `${entry.begin}`,
      );
    }
    end = entry.end;
  }
  if (end !== fileBytes) throw damaged(where, end, "the file to end after its last tensor", `${fileBytes} bytes`);
  return { metadata: readMetadata(metadata, where), entries };
}

/**
 * Reads all tensors of a file; their data are views of `bytes`, made when first asked for.
 * @param bytes - the whole file; must not change while the tensors are in use.
 * @param where - the file's name for error messages.
 * @throws {CheckpointError} when the file is truncated, malformed or holds an unknown dtype.
 */
export function readSafetensors(bytes: Uint8Array, where = "safetensors"): NamedTensors {
  const { entries } = readSafetensorsHeader(bytes, bytes.length, where);
  return new Map(entries.map((entry) => [entry.name, tensorOf(entry, bytes)]));
}

/**
 * The chunks of a file that holds the tensors: larger element sizes first, then by name, so that all are aligned.
 * @param metadata - texts stored in the header; Transformers asks for `format: "pt"`, the default.
 * @throws {CheckpointError} when a tensor bears the name that the format keeps for metadata.
 */
export function writeSafetensors(tensors: NamedTensors, metadata?: Readonly<Record<string, string>>): Uint8Array[] {
  return [...safetensorsChunks(lazyTensors(tensors), metadata)];
}

/** The chunks of a file, each tensor read when its chunk is taken. */
function* safetensorsChunks(
  tensors: LazyTensors,
  metadata: Readonly<Record<string, string>> = { format: "pt" },
): Generator<Uint8Array> {
  const sorted = [...tensors].sort(
    ([nameA, a], [nameB, b]) => bytesPerElement(b.dtype) - bytesPerElement(a.dtype) || (nameA < nameB ? -1 : 1),
  );
  let offset = 0;
  const fields = [`"__metadata__":${JSON.stringify(metadata)}`];
  for (const [name, { dtype, shape }] of sorted) {
    if (name === "__metadata__") throw damaged("safetensors", 0, "another tensor name (it is reserved)", name);
    const end = offset + bytesPerElement(dtype) * elementCount(shape);
    fields.push(
      `${JSON.stringify(name)}:${JSON.stringify({ dtype: NAMES[dtype], shape, data_offsets: [offset, end] })}`,
    );
    offset = end;
  }
  const json = new TextEncoder().encode(`{${fields.join(",")}}`);
  const head = new Uint8Array(LENGTH_BYTES + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(head.length - LENGTH_BYTES), true);
  head.set(json, LENGTH_BYTES);
  yield head;
  for (const [, tensor] of sorted) yield tensorBytes(tensor.read());
}

const format: CheckpointFormat = {
  name: "safetensors",
  title: "safetensors",
  fileNames: [
    /^model\.safetensors$/,
    /^model\.safetensors\.index\.json$/,
    /\.safetensors$/,
    /\.safetensors\.index\.json$/,
  ],
  recognizes: (head) =>
    head.length > LENGTH_BYTES &&
    head[LENGTH_BYTES] === 0x7b &&
    head.slice(4, LENGTH_BYTES).every((byte) => byte === 0),
  async open(files, path) {
    if (path.endsWith(".json")) return openSharded(files, path, openFile);
    return openFile(await files.open(path));
  },
  write: (tensors, metadata) => [{ path: "model.safetensors", chunks: safetensorsChunks(tensors, metadata) }],
};
export default format;

function openFile(source: ByteSource): Checkpoint {
  const head = source.slice(0, Math.min(LENGTH_BYTES, source.size));
  const { metadata, entries } = readSafetensorsHeader(
    source.slice(0, safetensorsHeaderBytes(head, source.size, source.name)),
    source.size,
    source.name,
  );
  const tensors = new Map<string, LazyTensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    tensors.set(name, { dtype, shape, read: () => tensorFromBytes(dtype, shape, source.slice(begin, end)) });
  }
  return { format: "safetensors", tensors, metadata, notes: [] };
}

function tensorOf({ dtype, shape, begin, end }: SafetensorsEntry, bytes: Uint8Array): HostTensor {
  let tensor: HostTensor | undefined;
  return {
    dtype,
    shape,
    get data() {
      tensor ??= tensorFromBytes(dtype, shape, bytes.subarray(begin, end));
      return tensor.data;
    },
  };
}

function parseHeader(bytes: Uint8Array, where: string): Record<string, unknown> {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    if (!text.startsWith("{")) throw new SyntaxError("it does not begin with {");
    const header = JSON.parse(text);
    const duplicate = duplicateKey(text);
    if (duplicate !== undefined) throw new SyntaxError(`the key ${duplicate} twice`);
    return header;
  } catch (cause) {
    throw damaged(where, LENGTH_BYTES, "a JSON object in UTF-8 as header", (cause as Error).message, cause);
  }
}

/** The first key that an object of a valid JSON text holds twice; JSON.parse would keep the last one silently. */
function duplicateKey(text: string): string | undefined {
  // Sets of keys, made when the first key comes: a hostile header has millions of empty objects.
  const open: (Set<string> | undefined)[] = [];
  const tokens = /"(?:[^"\\]+|\\.)*"|[{}[\]]/g;
  const colon = /\s*:/y;
  for (let match = tokens.exec(text); match !== null; match = tokens.exec(text)) {
    const [token] = match;
    colon.lastIndex = tokens.lastIndex;
    if (token === "{" || token === "[") open.push(undefined);
    else if (token === "}" || token === "]") open.pop();
    else if (colon.test(text)) {
      const keys = open.at(-1) ?? new Set();
      open[open.length - 1] = keys;
      const key = JSON.parse(token);
      if (keys.has(key)) return token;
      keys.add(key);
    }
  }
  return undefined;
}

function readEntry(name: string, value: unknown, dataStart: number, where: string): SafetensorsEntry {
  const fields = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const of = `for tensor "${name}"`;
  const code = fields["dtype"];
  const dtype = typeof code === "string" && Object.hasOwn(DTYPES, code) ? DTYPES[code] : undefined;
  if (dtype === undefined) {
    throw damaged(where, LENGTH_BYTES, `a dtype among ${Object.keys(DTYPES).join(", ")} ${of}`, JSON.stringify(code));
  }
  const shape = fields["shape"];
  if (!isSizes(shape)) {
    throw damaged(where, LENGTH_BYTES, `a shape (list of sizes) ${of}`, JSON.stringify(shape));
  }
  const offsets = fields["data_offsets"];
  if (!isSizes(offsets) || offsets.length !== 2 || (offsets[0] as number) > (offsets[1] as number)) {
    throw damaged(where, LENGTH_BYTES, `data_offsets [begin, end] ${of}`, JSON.stringify(offsets));
  }
  const [begin, end] = offsets as [number, number];
  // A product beyond 2^53 is rounded, but stays far beyond any file's length.
  const needed = shape.reduce((count, size) => count * size, bytesPerElement(dtype));
  if (end - begin !== needed) {
    throw damaged(
      where,
      dataStart + begin,
      `${needed} bytes ${of}, ${NAMES[dtype]}[${shape.join(", ")}]`,
      `${end - begin}`,
    );
  }
  return { name, dtype, shape, begin: dataStart + begin, end: dataStart + end };
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function readMetadata(value: unknown, where: string): Record<string, string> {
  if (value === undefined) return {};
  const isTexts =
    typeof value === "object" && value !== null && Object.values(value).every((text) => typeof text === "string");
  if (!isTexts || Array.isArray(value)) {
    throw damaged(where, LENGTH_BYTES, "__metadata__ to map names to texts", JSON.stringify(value));
  }
  return value as Record<string, string>;
}

/**
 * The two containers of torch.save: a zip archive (since 1.6) and, before, five pickles with the storages after them.
 * Source: torch/serialization.py of PyTorch (_save, _legacy_save).
 */
import { CheckpointError, verbatim } from "../../errors.ts";
import { crc32 } from "../../util/crc32.ts";
import { readPickle, scanPickle } from "../pickle.ts";
import { formatValue, PickleDict, type PickleRules } from "../pickle-values.ts";
import { type ByteSource, damaged, partOfSource } from "../source.ts";
import { isZip, readZip, storedEntry, type ZipEntry } from "../zip.ts";
import { inflateToMemory } from "../zip-files.ts";
import { type TorchStorage, torchRules } from "./objects.ts";

/** The first pickle of the legacy format: PROTO 2, LONG1 of 10 bytes. */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const MAGIC_HEAD = [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const LEGACY_PROTOCOL = 1001;
/** Opcodes for some 100,000 tensors; a pickle holds no weights itself. */
const MAX_PICKLE_BYTES = 100_000_000;
/** A checksum is taken over so many bytes at a time. */
const CHECK_BYTES = 16 * 1024 * 1024;

/** Whether a file with this beginning is torch's: of the zip archives, those whose first entry is data.pkl. */
export function isTorchFile(head: Uint8Array): boolean {
  if (isZip(head)) return new TextDecoder("latin1").decode(head).includes("/data.pkl");
  return isLegacy(head);
}

/**
 * The object that was saved; every storage of its tensors has been found and lies within the file.
 * @throws {CheckpointError} when the file is damaged, hostile, or not torch's.
 */
export function loadTorch(source: ByteSource): unknown {
  const head = source.slice(0, Math.min(64, source.size));
  if (isZip(head)) return loadZip(source);
  if (isLegacy(head)) return loadLegacy(source);
  throw damaged(source.name, 0, "a zip archive or the magic number of torch.save", hex(head.subarray(0, 8)));
}

/** What could harm whoever loads the file with Python: a line for each; nothing of it is loaded. */
export async function torchDangers(source: ByteSource): Promise<string[]> {
  const rules = torchRules(new Map());
  if (!isZip(source.slice(0, Math.min(4, source.size)))) return legacyDangers(source, rules);
  const entries = readZip(source);
  const lines: string[] = [];
  for (const entry of entries.filter(({ path }) => path.endsWith(".pkl"))) {
    const { findings } = scanPickle(await openPickle(source, entry), 0, rules);
    lines.push(...findings.map((line) => `${entry.path}: ${line}`));
  }
  const code = entries.filter(({ path }) => /^[^/]+\/code\//.test(path));
  return code.length === 0 ? lines : [...lines, `${code[0]?.path}: a TorchScript program (${code.length} files)`];
}

/** A pickle to be looked through: torch reads compressed ones too. */
async function openPickle(source: ByteSource, entry: ZipEntry): Promise<ByteSource> {
  const compressed = storedEntry(source, entry);
  if (entry.method === "stored") return compressed;
  expectPickleSize(source, entry);
  return inflateToMemory({ name: compressed.name, size: entry.size, compressed, crc32: entry.crc32 });
}

function expectPickleSize(source: ByteSource, { size, dataOffset }: ZipEntry): void {
  if (size <= MAX_PICKLE_BYTES) return;
  throw damaged(source.name, dataOffset, `a pickle of at most ${MAX_PICKLE_BYTES} bytes`, `${size}`);
}

function isLegacy(head: Uint8Array): boolean {
  return MAGIC_HEAD.every((byte, i) => head[i] === byte);
}

function hex(bytes: Uint8Array): string {
  return bytes.length === 0 ? "an empty file" : [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function loadZip(source: ByteSource): unknown {
  const entries = new Map(readZip(source).map((entry) => [entry.path, entry]));
  const [pickle, second] = [...entries.keys()].filter((path) => /^(?:[^/]+\/)?data\.pkl$/.test(path));
  if (pickle === undefined) {
    throw damaged(source.name, 0, "an archive of torch.save, with data.pkl", `${entries.size} other files`);
  }
  if (second !== undefined) throw damaged(source.name, 0, "one data.pkl", `${pickle} and ${second}`);
  const root = pickle.slice(0, -"data.pkl".length);
  if (entries.has(`${root}constants.pkl`)) throw torchScript(source);
  checkByteOrder(source, entries.get(`${root}byteorder`));
  const storages = new Map<string, TorchStorage>();
  const entry = entries.get(pickle) as ZipEntry;
  expectPickleSize(source, entry);
  const bytes = openStored(source, entry);
  checkEntry(bytes, entry);
  const { value } = readPickle(bytes, 0, torchRules(storages));
  for (const storage of storages.values()) {
    const data = entries.get(`${root}data/${storage.key}`);
    if (data === undefined) throw damaged(source.name, 0, `the storage ${root}data/${storage.key}`, undefined);
    const part = openStored(source, data);
    storage.source = part;
    storage.check = once(() => checkEntry(part, data));
  }
  return value;
}

function torchScript(source: ByteSource): CheckpointError {
  return new CheckpointError({
    where: source.name,
    expected: "weights",
    got: verbatim("a TorchScript program"),
    hint: "Save its weights alone: torch.save(model.state_dict(), ...).",
  });
}

function openStored(source: ByteSource, entry: ZipEntry): ByteSource {
  if (entry.method === "stored") return storedEntry(source, entry);
  throw damaged(source.name, entry.dataOffset, `"${entry.path}" stored, as torch.save does`, "a compressed one");
}

function checkByteOrder(source: ByteSource, entry: ZipEntry | undefined): void {
  if (entry === undefined) return;
  const order = new TextDecoder("latin1").decode(openStored(source, entry).slice(0, Math.min(6, entry.size)));
  if (order !== "little") throw damaged(source.name, entry.dataOffset, "little-endian numbers", JSON.stringify(order));
}

/** @throws {CheckpointError} when the bytes of an entry are not those that its checksum was taken of. */
function checkEntry(bytes: ByteSource, entry: ZipEntry): void {
  let checksum = 0;
  for (let at = 0; at < bytes.size; at += CHECK_BYTES) {
    checksum = crc32(bytes.slice(at, Math.min(bytes.size, at + CHECK_BYTES)), checksum);
  }
  if (checksum === entry.crc32) return;
  throw damaged(bytes.name, 0, `bytes with the CRC-32 ${entry.crc32.toString(16)}`, checksum.toString(16));
}

function once(check: () => void): () => void {
  let isChecked = false;
  return () => {
    if (!isChecked) check();
    isChecked = true;
  };
}

/** Magic number, protocol, system, object, keys of the storages; then each storage with its count of elements. */
function loadLegacy(source: ByteSource): unknown {
  const storages = new Map<string, TorchStorage>();
  const rules = torchRules(storages);
  const magic = readPickle(source, 0, rules);
  const protocol = readPickle(source, magic.end, rules);
  const system = readPickle(source, protocol.end, rules);
  const object = readPickle(source, system.end, rules);
  const keys = readPickle(source, object.end, rules);
  if (magic.value !== MAGIC || protocol.value !== LEGACY_PROTOCOL) {
    throw damaged(source.name, magic.end, `the protocol ${LEGACY_PROTOCOL}`, formatValue(protocol.value));
  }
  const order = system.value instanceof PickleDict ? system.value.entries.get("little_endian") : undefined;
  if (order !== true) throw damaged(source.name, protocol.end, "little-endian numbers", formatValue(order));
  placeStorages(source, keys.end, keys.value, storages);
  return object.value;
}

function placeStorages(
  source: ByteSource,
  begin: number,
  keys: unknown,
  storages: ReadonlyMap<string, TorchStorage>,
): void {
  if (!Array.isArray(keys)) throw damaged(source.name, begin, "a list of the storages' keys before", formatValue(keys));
  let at = begin;
  for (const key of keys) {
    const storage = storages.get(key);
    if (storage === undefined || storage.source !== undefined) {
      throw damaged(source.name, begin, "the key of each storage once", formatValue(key));
    }
    if (at + 8 > source.size) throw damaged(source.name, at, `the size of storage ${key}`, "the end of the file");
    const head = source.slice(at, at + 8);
    const elements = new DataView(head.buffer, head.byteOffset, 8).getBigUint64(0, true);
    const width = BigInt(storage.elementBytes);
    if (elements * width !== BigInt(storage.sizeBytes)) {
      throw damaged(source.name, at, `${BigInt(storage.sizeBytes) / width} elements of storage ${key}`, `${elements}`);
    }
    const end = at + 8 + storage.sizeBytes;
    if (end > source.size) throw damaged(source.name, at + 8, `${storage.sizeBytes} bytes`, `${source.size - at - 8}`);
    storage.source = partOfSource(source, `${source.name}: storage ${key}`, at + 8, end);
    at = end;
  }
  if (at !== source.size) throw damaged(source.name, at, "the end of the file", `${source.size - at} bytes more`);
}

/** The opcode that pickles since protocol 2 begin with; older ones begin with any. */
const PROTOCOL_OPCODE = 0x80;

/**
 * A text or an image may begin with bytes that are opcodes as well: what breaks before anything that Python could import
 * is named is no pickle, and does no harm.
 * @throws {CheckpointError} when a file is no pickle.
 */
function expectPickle(source: ByteSource, rules: PickleRules): void {
  const head = source.slice(0, Math.min(8, source.size));
  if (head.length === 0 || head[0] === PROTOCOL_OPCODE) return;
  const { findings } = scanPickle(source, 0, rules);
  const isBroken = findings.some((line) => BREAK.test(line));
  if (!isBroken || findings.length >= MANY_FINDINGS || findings.some((line) => IMPORT.test(line))) return;
  throw new CheckpointError({
    where: source.name,
    expected: "a PyTorch file: a zip archive or a pickle",
    got: verbatim(`no PyTorch file (it begins with ${hex(head)})`),
    hint: "name the file of the weights, or download it again",
  });
}

/** Fewer than `scanPickle` lists at most, so that none was left out. */
const MANY_FINDINGS = 90;
const BREAK = /^byte \d+: not looked through further/;
/** What Python would look for in a module before the break: a global by a module's name, or one that cannot be told. */
const IMPORT =
  /: (?:names (?:[\p{L}\p{N}_.-]+$|\()|makes an object of (?:[\p{L}\p{N}_.-]+ \(opcode INST|.*\(opcode EXT))/u;

function legacyDangers(source: ByteSource, rules: PickleRules): string[] {
  const lines: string[] = [];
  expectPickle(source, rules);
  let at = 0;
  for (let pickle = 0; pickle < 5 && at < source.size; pickle++) {
    const { findings, end } = scanPickle(source, at, rules);
    lines.push(...findings);
    at = end;
  }
  return lines;
}

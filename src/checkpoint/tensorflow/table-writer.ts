/** Writes sorted tables byte for byte as TensorFlow's bundle writer does. Source: table_builder.cc, block_builder.cc. */
import { crc32c, maskCrc32c } from "../../util/crc32.ts";
import { FOOTER_BYTES, TABLE_MAGIC, type TableEntry, TRAILER_BYTES } from "./table.ts";

/** A block is closed when it has grown to this. */
const BLOCK_BYTES = 262_144;
/** Every so many entries a key is written out in full. */
const RESTART_INTERVAL = 16;

/** The chunks of a table of these entries, which come in the order of their keys' bytes. */
export function* writeTable(entries: Iterable<TableEntry>): Generator<Uint8Array> {
  const index = new BlockBuilder(1);
  let block = new BlockBuilder(RESTART_INTERVAL);
  let offset = 0;
  let pending: { readonly key: Uint8Array; readonly handle: number[] } | undefined;
  const close = function* (content: Uint8Array): Generator<Uint8Array, number[]> {
    const handle = [...varint(offset), ...varint(content.length)];
    yield content;
    yield trailer(content);
    offset += content.length + TRAILER_BYTES;
    return handle;
  };
  for (const { key, value } of entries) {
    if (pending !== undefined) index.add(separator(pending.key, key), Uint8Array.from(pending.handle));
    pending = undefined;
    block.add(key, value);
    if (block.estimatedBytes < BLOCK_BYTES) continue;
    pending = { key, handle: yield* close(block.finish()) };
    block = new BlockBuilder(RESTART_INTERVAL);
  }
  if (block.lastKey !== undefined) pending = { key: block.lastKey, handle: yield* close(block.finish()) };
  const statistics = yield* close(new BlockBuilder(1).finish());
  if (pending !== undefined) index.add(successor(pending.key), Uint8Array.from(pending.handle));
  const footer = new Uint8Array(FOOTER_BYTES);
  footer.set([...statistics, ...(yield* close(index.finish()))]);
  footer.set(TABLE_MAGIC, FOOTER_BYTES - TABLE_MAGIC.length);
  yield footer;
}

/** Collects the entries of one block. */
class BlockBuilder {
  lastKey: Uint8Array | undefined;
  private readonly interval: number;
  private readonly parts: Uint8Array[] = [];
  private readonly restarts = [0];
  private length = 0;
  private sinceRestart = 0;

  constructor(interval: number) {
    this.interval = interval;
  }

  get estimatedBytes(): number {
    return this.length + 4 * (this.restarts.length + 1);
  }

  add(key: Uint8Array, value: Uint8Array): void {
    let shared = 0;
    if (this.sinceRestart < this.interval) {
      while (shared < key.length && key[shared] === this.lastKey?.[shared]) shared++;
    } else {
      this.restarts.push(this.length);
      this.sinceRestart = 0;
    }
    const head = Uint8Array.from([...varint(shared), ...varint(key.length - shared), ...varint(value.length)]);
    for (const part of [head, key.subarray(shared), value]) {
      this.parts.push(part);
      this.length += part.length;
    }
    this.lastKey = key;
    this.sinceRestart++;
  }

  finish(): Uint8Array {
    const block = new Uint8Array(this.estimatedBytes);
    let at = 0;
    for (const part of this.parts) {
      block.set(part, at);
      at += part.length;
    }
    const view = new DataView(block.buffer);
    for (const value of [...this.restarts, this.restarts.length]) {
      view.setUint32(at, value, true);
      at += 4;
    }
    return block;
  }
}

/** The type of a plain block and the checksum of block and type. */
function trailer(content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(TRAILER_BYTES);
  const crc = crc32c(bytes.subarray(0, 1), crc32c(content));
  new DataView(bytes.buffer).setUint32(1, maskCrc32c(crc), true);
  return bytes;
}

/** A short key from `key` on, below `next`. */
function separator(key: Uint8Array, next: Uint8Array): Uint8Array {
  const at = key.findIndex((byte, i) => byte !== next[i]);
  const byte = key[at];
  if (byte === undefined || byte === 0xff || next[at] === undefined || byte + 1 >= next[at]) return key;
  return raised(key, at);
}

/** A short key from `key` on. */
function successor(key: Uint8Array): Uint8Array {
  const at = key.findIndex((byte) => byte !== 0xff);
  return at < 0 ? key : raised(key, at);
}

/** A key up to a byte, which is one larger. */
function raised(key: Uint8Array, at: number): Uint8Array {
  const short = key.slice(0, at + 1);
  short[at] = (short[at] as number) + 1;
  return short;
}

function varint(value: number): number[] {
  const bytes = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}

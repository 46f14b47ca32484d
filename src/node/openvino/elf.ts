/**
 * Whether a shared library of Linux is whole. The loader maps one that was cut off (a full disk, a broken download) all the same,
 * and the process is ended when it reads beyond the end.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

// Of the ELF header and of a program header, 64 bits, little-endian: places and sizes in bytes. Source: elf(5).
const HEADER = { bytes: 64, magic: 0x7f454c46, class: 4, bits64: 2, order: 5, littleEndian: 1 } as const;
const TABLE = { offset: 32, entryBytes: 54, entries: 56 } as const;
const SEGMENT = { bytes: 56, type: 0, load: 1, offset: 8, fileBytes: 32 } as const;

/** Whether a part that is to be loaded lies beyond the file's end; false of what is no such library. */
export function isCutOff(path: string): boolean {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const header = readAt(file, 0, HEADER.bytes);
    if (header.length < HEADER.bytes || header.readUInt32BE(0) !== HEADER.magic) return false;
    if (header[HEADER.class] !== HEADER.bits64 || header[HEADER.order] !== HEADER.littleEndian) return false;
    const offset = Number(header.readBigUInt64LE(TABLE.offset));
    const [entryBytes, entries] = [header.readUInt16LE(TABLE.entryBytes), header.readUInt16LE(TABLE.entries)];
    if (entryBytes < SEGMENT.bytes) return false;
    const table = readAt(file, offset, entries * entryBytes);
    if (table.length < entries * entryBytes) return true;
    return Array.from({ length: entries }, (_, i) => table.subarray(i * entryBytes)).some((segment) => {
      const end = segment.readBigUInt64LE(SEGMENT.offset) + segment.readBigUInt64LE(SEGMENT.fileBytes);
      return segment.readUInt32LE(SEGMENT.type) === SEGMENT.load && end > BigInt(size);
    });
  } finally {
    closeSync(file);
  }
}

function readAt(file: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, readSync(file, buffer, 0, length, position));
}

/**
 * Whether a shared library of Linux is whole. The loader maps one that was cut off (a full disk, a broken download) all the same,
 * and the process is ended when it reads beyond the end.
 */
import { closeSync, openSync, readSync, statSync } from "node:fs";

// Of the ELF header and of a program header, 64 bits, little-endian: places and sizes in bytes. Source: elf(5).
const HEADER = { bytes: 64, magic: 0x7f454c46, class: 4, bits64: 2, order: 5, littleEndian: 1 } as const;
const TABLE = { offset: 32, entryBytes: 54, entries: 56 } as const;
const SEGMENT = { bytes: 56, type: 0, load: 1, offset: 8, fileBytes: 32 } as const;

/** Whether a part that is to be loaded lies beyond the file's end; false of what is no such library, or is not there. */
export function isCutOff(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  // To open a pipe would wait for whoever writes into it.
  if (!found?.isFile()) return false;
  const file = openSync(path, "r");
  try {
    return isBeyond(file, BigInt(found.size));
  } finally {
    closeSync(file);
  }
}

function isBeyond(file: number, size: bigint): boolean {
  const header = readAt(file, 0, HEADER.bytes);
  if (header.length < HEADER.bytes || header.readUInt32BE(0) !== HEADER.magic) return false;
  if (header[HEADER.class] !== HEADER.bits64 || header[HEADER.order] !== HEADER.littleEndian) return false;
  // Entries have this size in all libraries of 64 bits: with it the table is of 3.7 MB at most.
  if (header.readUInt16LE(TABLE.entryBytes) !== SEGMENT.bytes) return false;
  const offset = header.readBigUInt64LE(TABLE.offset);
  const length = header.readUInt16LE(TABLE.entries) * SEGMENT.bytes;
  if (offset + BigInt(length) > size) return true;
  const table = readAt(file, Number(offset), length);
  for (let at = 0; at + SEGMENT.bytes <= table.length; at += SEGMENT.bytes) {
    const end = table.readBigUInt64LE(at + SEGMENT.offset) + table.readBigUInt64LE(at + SEGMENT.fileBytes);
    if (table.readUInt32LE(at + SEGMENT.type) === SEGMENT.load && end > size) return true;
  }
  return false;
}

function readAt(file: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, readSync(file, buffer, 0, length, position));
}

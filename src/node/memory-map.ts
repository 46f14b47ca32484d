/**
 * Files as memory maps: the bytes of checkpoints and shards stay in the system's page cache, none in JavaScript's heap. Node.js has
 * no mmap of its own; koffi calls the C library's. Where that fails (Windows, some file systems) files are read in ranges.
 */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { type ByteSource, bytesSource, expectRange } from "../checkpoint/source.ts";
import { FileError, verbatim } from "../errors.ts";
import { fileError } from "./files.ts";
import { loadKoffi } from "./koffi.ts";

// From mman.h; equal on Linux, macOS and the BSDs. Private and writable: a write reaches neither the file nor a signal.
const PROT_READ_WRITE = 3;
const MAP_PRIVATE = 2;

/** Node.js 20 has no buffers beyond 4 GiB: larger files are mapped in windows. A multiple of every page size. */
const WINDOW_BYTES = 2 ** 31;

// From Linux's mman.h. Pages that were written stay, whatever is advised so.
const MADV_PAGEOUT = 21;

interface MemoryMapping {
  map(handle: number, size: number, offset: number): ArrayBuffer | undefined;
  /** Lets pages of all maps go. */
  forget(): void;
}

let mapping: MemoryMapping | undefined;

/**
 * A file of which the parts that are asked for are in memory, as pages that the system may drop again.
 * The map lives as long as any array over it.
 * @throws {FileError} when it cannot be opened, or is no file but a pipe, a device or a folder.
 */
export function mapFile(path: string): ByteSource {
  return sourceOfHandle(path, openToRead(path));
}

/**
 * Lets the system drop the pages of mapped files that have been read, where it can: they count as this process's memory, and
 * come back when they are read again. For who has copied weights and goes on for hours.
 */
export function forgetMappedPages(): void {
  mapping?.forget();
}

/** As `mapFile`, for a file that is already open (and may have lost its name); the handle is its own, and closed when not needed. */
export function sourceOfHandle(name: string, handle: number): ByteSource {
  return closedOnFailure(name, handle, () => {
    const size = sizeOfFile(name, handle);
    const mapped = mappedSource(name, handle, size);
    if (mapped === undefined) {
      const source = rangedSource(name, handle, size);
      closeLater.register(source, handle);
      return source;
    }
    closeSync(handle);
    return mapped;
  });
}

/** A file that is open until it is closed. */
export interface FileSource extends ByteSource {
  /** Nothing can be read afterwards; pages of the map go when no array over them is left. */
  close(): void;
}

/**
 * Opens a file that is read for hours, such as a shard. Who touches a page behind the end of a mapped file is ended by the
 * system, so that the file's size is compared before each range is given: one that was cut short meanwhile is an error.
 * @param access - ranged: each range is read into memory of its own, which is at once free again.
 * @throws {FileError} when it cannot be opened, or is no file.
 */
export function openFileSource(path: string, access: "mapped" | "ranged" = "mapped"): FileSource {
  const handle = openToRead(path);
  return closedOnFailure(path, handle, () => {
    const size = sizeOfFile(path, handle);
    const mapped = access === "mapped" ? mappedSource(path, handle, size) : undefined;
    const { slice } = mapped ?? rangedSource(path, handle, size);
    let isOpen = true;
    return {
      name: path,
      size,
      slice(begin, end) {
        const expected = isOpen ? `${size} bytes, as when it was opened` : "a file that is open";
        const found = isOpen ? fstatSync(handle).size : undefined;
        if (found === undefined || found < size) throw notAsOpened(path, expected, found);
        return slice(begin, end);
      },
      close() {
        if (isOpen) closeSync(handle);
        isOpen = false;
      },
    };
  });
}

function notAsOpened(where: string, expected: string, size: number | undefined): FileError {
  return new FileError({
    where,
    expected,
    got: verbatim(size === undefined ? "one that was closed" : `${size}`),
    hint: "another program has changed the file while it was read: make it anew, or copy it again",
  });
}

function openToRead(path: string): number {
  try {
    // A pipe in a folder from elsewhere would be waited for without end. (Windows has no such flag, nor such pipes.)
    return openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw fileError(path, "a file that can be read", error);
  }
}

function closedOnFailure<T>(name: string, handle: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    closeSync(handle);
    throw error instanceof FileError ? error : fileError(name, "a file that can be read", error);
  }
}

function sizeOfFile(name: string, handle: number): number {
  const status = fstatSync(handle);
  if (status.isFile()) return status.size;
  throw noFile(name);
}

/** Undefined where files cannot be mapped. */
function mappedSource(name: string, handle: number, size: number): ByteSource | undefined {
  const windows = mapWindows(handle, size);
  if (windows === undefined) return undefined;
  return windows.length > 1 ? windowedSource(name, size, windows) : bytesSource(name, windows[0] ?? new Uint8Array(0));
}

function noFile(name: string): FileError {
  return new FileError({
    where: name,
    expected: "a file",
    got: verbatim("a folder, a pipe or a device"),
    hint: "the file is read at many places at once: save what a pipe gives to a file first",
  });
}

/** The whole file as arrays one after the other; undefined where files cannot be mapped. */
function mapWindows(handle: number, size: number): Uint8Array[] | undefined {
  mapping ??= loadMapping();
  const windows: Uint8Array[] = [];
  for (let offset = 0; offset < size; offset += WINDOW_BYTES) {
    const bytes = mapping.map(handle, Math.min(WINDOW_BYTES, size - offset), offset);
    if (bytes === undefined) return undefined;
    windows.push(new Uint8Array(bytes));
  }
  return windows;
}

/** Views where a range lies in one window, a copy where it crosses into the next. */
function windowedSource(name: string, size: number, windows: readonly Uint8Array[]): ByteSource {
  return {
    name,
    size,
    slice(begin, end) {
      expectRange(name, size, begin, end);
      const first = Math.floor(begin / WINDOW_BYTES);
      const start = first * WINDOW_BYTES;
      if (end <= start + WINDOW_BYTES) return windows[first]?.subarray(begin - start, end - start) ?? new Uint8Array(0);
      const bytes = new Uint8Array(end - begin);
      for (let at = begin; at < end; ) {
        const window = Math.floor(at / WINDOW_BYTES);
        const offset = at - window * WINDOW_BYTES;
        const part = (windows[window] as Uint8Array).subarray(offset, offset + end - at);
        bytes.set(part, at - begin);
        at += part.length;
      }
      return bytes;
    },
  };
}

/** The C library's mmap; one that maps nothing where there is none. */
function loadMapping(): MemoryMapping {
  try {
    const koffi = loadKoffi();
    const library = koffi.load(null);
    const mmap = library.func("void *mmap(void *address, size_t length, int prot, int flags, int fd, int64_t offset)");
    const munmap = library.func("int munmap(void *address, size_t length)");
    const madvise = library.func("int madvise(void *address, size_t length, int advice)");
    const maps = new Map<bigint, number>();
    const unmap = new FinalizationRegistry(({ address, size }: { address: bigint; size: number }) => {
      maps.delete(address);
      munmap(address, size);
    });
    return {
      map(handle, size, offset) {
        const address: bigint = mmap(null, size, PROT_READ_WRITE, MAP_PRIVATE, handle, offset);
        // MAP_FAILED is -1 as an address.
        if (address === 0n || BigInt.asIntN(64, address) === -1n) return undefined;
        const bytes = koffi.view(address, size);
        unmap.register(bytes, { address, size });
        maps.set(address, size);
        return bytes;
      },
      forget() {
        if (process.platform !== "linux") return;
        for (const [address, size] of maps) madvise(address, size, MADV_PAGEOUT);
      },
    };
  } catch {
    return { map: () => undefined, forget: () => undefined };
  }
}

const closeLater = new FinalizationRegistry((handle: number) => closeSync(handle));

/** Reads each range when it is asked for. */
function rangedSource(name: string, handle: number, size: number): ByteSource {
  return {
    name,
    size,
    slice(begin, end) {
      expectRange(name, size, begin, end);
      const bytes = new Uint8Array(end - begin);
      try {
        for (let done = 0; done < bytes.length; ) {
          const read = readSync(handle, bytes, done, Math.min(bytes.length - done, MAX_READ_BYTES), begin + done);
          if (read === 0) throw new Error("the file was cut while it was read");
          done += read;
        }
      } catch (error) {
        throw fileError(name, "a file that can be read", error);
      }
      return bytes;
    },
  };
}

/** Node.js reads no 2 GiB at once. */
const MAX_READ_BYTES = 1 << 30;

/**
 * Opens HDF5 files with h5wasm without copying them: the library reads the ranges that it needs from a source.
 *
 * While it works it can open no other file, whatever links and external storage a file asks for, and prints nothing.
 */
import type { ByteSource } from "./source.ts";
import { damaged } from "./source.ts";

type Module = Awaited<typeof import("h5wasm")["ready"]>;

/** Where the one file lies in the library's own file system. */
const PATH = "/zhbert.h5";
const STDERR = 2;
const NO_SUCH_FILE = 44;
const INPUT_ERROR = 29;
/** A regular file that may be read. */
const FILE_MODE = 0o100444;

/** The parts of Emscripten's file system that are used here. */
interface FileSystem {
  open(path: string, ...rest: unknown[]): unknown;
  createNode(parent: unknown, name: string, mode: number, device: number): Node;
  lookupPath(path: string): { readonly node: unknown };
  destroyNode(node: Node): void;
  readonly streams: (Stream | undefined)[];
  readonly ErrnoError: new (code: number) => Error;
}

interface Stream {
  position: number;
  stream_ops: object;
}

interface Node {
  readonly id: number;
  node_ops: object;
  stream_ops: object;
}

/** An open file. */
export interface Hdf5File {
  readonly module: Module;
  readonly id: bigint;
}

/** The library, loaded when the first file is opened: it takes some megabytes. */
export async function loadHdf5(): Promise<Module> {
  const { ready } = await import("h5wasm");
  return ready;
}

/**
 * What `use` makes of a file, which is closed after it.
 * @throws {CheckpointError} when the library cannot read the file.
 */
export function withHdf5File<T>(module: Module, source: ByteSource, use: (file: Hdf5File) => T): T {
  const fs = module.FS as unknown as FileSystem;
  const failure: { error?: unknown } = {};
  const node = sourceNode(fs, source, failure);
  const restore = isolate(fs);
  try {
    const id = module.open(PATH, module.H5F_ACC_RDONLY, false, -1, -1);
    if (id < 0n) throw damaged(source.name, 0, "an HDF5 file", "a file that the HDF5 library cannot open");
    try {
      return use({ module, id });
    } finally {
      module.close_file(id);
    }
  } catch (error) {
    if (failure.error !== undefined) throw failure.error;
    if (error instanceof Error && "code" in error && error.code === "ERR_CHECKPOINT") throw error;
    throw damaged(source.name, 0, "a sound HDF5 file", `an error of the HDF5 library: ${messageOf(error)}`, error);
  } finally {
    restore();
    fs.destroyNode(node);
  }
}

/** A file in the library's file system whose bytes come from a source; an error of the source is kept in `failure`. */
function sourceNode(fs: FileSystem, source: ByteSource, failure: { error?: unknown }): Node {
  const node = fs.createNode(fs.lookupPath("/").node, PATH.slice(1), FILE_MODE, 0);
  const epoch = new Date(0);
  const times = { atime: epoch, mtime: epoch, ctime: epoch };
  const owner = { dev: 1, ino: node.id, mode: FILE_MODE, nlink: 1, uid: 0, gid: 0, rdev: 0 };
  node.node_ops = {
    getattr: () => ({ ...owner, ...times, size: source.size, blksize: 4096, blocks: Math.ceil(source.size / 512) }),
  };
  node.stream_ops = {
    llseek: (stream: Stream, offset: number, whence: number) =>
      offset + ([0, stream.position, source.size][whence] ?? 0),
    read: (_: Stream, buffer: Uint8Array, offset: number, length: number, position: number) => {
      const end = Math.min(source.size, position + length);
      if (position >= end) return 0;
      try {
        buffer.set(source.slice(position, end), offset);
      } catch (error) {
        failure.error = error;
        throw new fs.ErrnoError(INPUT_ERROR);
      }
      return end - position;
    },
  };
  return node;
}

/** Lets the library open nothing but the one file, and say nothing; returns what puts all back as it was. */
function isolate(fs: FileSystem): () => void {
  const { open } = fs;
  const stderr = fs.streams[STDERR];
  const operations = stderr?.stream_ops;
  fs.open = (path, ...rest) => {
    if (path !== PATH) throw new fs.ErrnoError(NO_SUCH_FILE);
    return open.call(fs, path, ...rest);
  };
  const discard = (_: Stream, __: Uint8Array, ___: number, length: number) => length;
  if (stderr !== undefined) stderr.stream_ops = { ...operations, write: discard };
  return () => {
    fs.open = open;
    if (stderr !== undefined && operations !== undefined) stderr.stream_ops = operations;
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

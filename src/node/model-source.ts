/** Where a model's files are: a folder, a weights file, a zip download, or a model of the hub by its name. */

import { closeSync, openSync } from "node:fs";
import { type FileHandle, mkdtemp, open, readdir, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join, normalize } from "node:path";
import { findCheckpoints } from "../checkpoint/formats.ts";
import { type ByteSource, type ModelFiles, noSuchFile } from "../checkpoint/source.ts";
import { type DeflatedEntry, inflatedChunks, zipFiles } from "../checkpoint/zip-files.ts";
import { FileError, verbatim } from "../errors.ts";
import { resolveHubName } from "../model/zoo.ts";
import { fileError } from "./files.ts";
import { type DownloadOptions, downloadModel } from "./hub.ts";
import { mapFile, sourceOfHandle } from "./memory-map.ts";

/** A model's files, and which of them is meant where one was named. */
export interface ModelSource {
  readonly files: ModelFiles;
  /** The checkpoint's path among the files, where a single file was named. */
  readonly checkpoint?: string;
}

/** A model's folder may hold the checkpoints of a run below it; nothing of use lies deeper. */
const MAX_DEPTH = 3;
/** A folder of more files is no model's (a home folder, a corpus): listing it would take minutes. */
const MAX_FILES = 10_000;

/**
 * Finds the files of a model.
 * @param name - a folder, a weights file, a zip download, the prefix of a TensorFlow checkpoint (`bert_model.ckpt`), or
 *   the name of a model of the hub (`hfl/rbt3`, or an alias that `zhbert models` lists). What lies on the disk comes first.
 * @throws {FileError} when there is nothing of this name. @throws {CheckpointError} when a zip is damaged.
 */
export async function openModelSource(name: string, options: DownloadOptions = {}): Promise<ModelSource> {
  const found = await stat(name).catch(() => undefined);
  if (found?.isDirectory()) return { files: await folderFiles(name) };
  if (found !== undefined) return openFile(name);
  if (await stat(`${name}.index`).catch(() => undefined)) return openFile(`${name}.index`);
  if (isHubName(name)) return { files: await folderFiles(await downloadModel(name, options)) };
  throw new FileError({
    where: name,
    expected: "a model's folder, weights file or zip, or the name of a model of the hub",
    got: verbatim("no such file or folder"),
    hint: "check the path; zhbert models lists the names of published models",
  });
}

/** `organisation/model` or an alias of the zoo; anything else, `out/model.safetensors` too, was meant as a path. */
function isHubName(name: string): boolean {
  if (/\.(zip|ckpt)$/i.test(name) || findCheckpoints([name]).length > 0) return false;
  return resolveHubName(name) !== name || /^[A-Za-z\d][\w.-]*\/[A-Za-z\d][\w.-]*$/.test(name);
}

async function openFile(path: string): Promise<ModelSource> {
  if (path.toLowerCase().endsWith(".zip")) return { files: zipFiles(mapFile(path), inflateToDisk) };
  const beside = await folderFiles(dirname(path), 1);
  // Modules of sentence-transformers have folders of their own.
  const files = beside.paths.includes("modules.json") ? await folderFiles(dirname(path), 2) : beside;
  const checkpoint = basename(path);
  if (files.paths.includes(checkpoint)) return { files, checkpoint };
  throw new FileError({
    where: path,
    expected: `a weights file in a folder of at most ${MAX_FILES} files`,
    got: verbatim("more"),
    hint: "put it into a folder of its own, with its config and vocabulary",
  });
}

/**
 * The files of a folder and of the folders in it, mapped when they are opened.
 * @throws {FileError} when the folder cannot be listed.
 */
export async function folderFiles(folder: string, depth = MAX_DEPTH): Promise<ModelFiles> {
  const paths: string[] = [];
  const list = async (inside: string, level: number): Promise<void> => {
    const entries = await readdir(join(folder, inside), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (paths.length === MAX_FILES) return;
      const path = inside === "" ? entry.name : `${inside}/${entry.name}`;
      if (entry.isDirectory()) {
        if (level < depth && !entry.name.startsWith(".")) await list(path, level + 1);
      } else paths.push(path);
    }
  };
  try {
    await list("", 1);
  } catch (error) {
    throw fileError(folder, "a folder that can be listed", error);
  }
  return {
    name: normalize(folder).replace(/(?<=.)[\\/]$/, ""),
    paths,
    async open(path) {
      // Paths come from indexes inside of files, too.
      if (!paths.includes(path)) throw noSuchFile(folder, path, paths);
      return mapFile(join(folder, ...path.split("/")));
    },
  };
}

/** Inflates an entry of a zip to a temporary file, so that weights never fill the memory; the system frees it with the process. */
async function inflateToDisk(entry: DeflatedEntry): Promise<ByteSource> {
  const folder = await mkdtemp(join(tmpdir(), "zhbert-")).catch((error) => {
    throw fileError(tmpdir(), "a folder for temporary files", error);
  });
  const path = join(folder, "inflated");
  const remove = () => rm(folder, { recursive: true, force: true }).catch(() => undefined);
  let writer: FileHandle | undefined;
  let reader: number | undefined;
  try {
    writer = await open(path, "wx");
    reader = openSync(path, "r");
    // Without a name from now on, so that nothing stays of a process that is stopped.
    await remove();
    for await (const chunk of inflatedChunks(entry)) await writer.writeFile(chunk);
    const handle = reader;
    reader = undefined; // the source closes it from here on
    return sourceOfHandle(entry.name, handle);
  } catch (error) {
    if (reader !== undefined) closeSync(reader);
    if (error instanceof Error && "syscall" in error) throw fileError(path, "room for the inflated weights", error);
    throw error;
  } finally {
    await writer?.close();
    // Where open files cannot be removed (Windows) they stay among the temporary files.
    await remove();
  }
}

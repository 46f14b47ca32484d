/** Digests of what a run is made from: a model's files and labelled data, so that a finished run is known again. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { resolveHubName } from "../model/zoo.ts";
import { fileError } from "./files.ts";
import { downloadModel } from "./hub.ts";
import { filesUnder } from "./labelled-files.ts";

/**
 * The SHA-256 digest of the names and contents of files.
 * @param paths - with the name that each is known by, which need not be where it lies.
 * @throws {FileError} when one cannot be read.
 */
async function filesDigest(paths: readonly (readonly [name: string, path: string])[]): Promise<string> {
  const whole = createHash("sha256");
  for (const [name, path] of paths) {
    const hash = createHash("sha256");
    try {
      for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
    } catch (error) {
      throw fileError(path, "a file that can be read", error);
    }
    whole.update(`${name}\0${hash.digest("hex")}\n`);
  }
  return whole.digest("hex");
}

/**
 * The digest of a model's own files: what lies at the top of its folder, whatever the folder's name.
 * @param name - a folder, a file, or a name of the hub, which is downloaded.
 * @throws as `downloadModel`, and {FileError} when a file cannot be read.
 */
export async function modelDigest(name: string): Promise<string> {
  const found = await stat(name).catch(() => undefined);
  if (found?.isFile()) return filesDigest([["", name]]);
  const folder = found === undefined ? await downloadModel(resolveHubName(name)) : name;
  const entries = await readdir(folder, { withFileTypes: true }).catch((error) => {
    throw fileError(folder, "a folder that can be listed", error);
  });
  const names = entries.flatMap((entry) => (entry.isDirectory() || entry.name.startsWith(".") ? [] : [entry.name]));
  // The hub's cache keeps links: what they point at is what is read.
  return filesDigest(names.sort().map((one) => [one, join(folder, one)]));
}

/**
 * The digest of labelled data.
 * @param places - the folder of a data set, or files, by the option that names them.
 * @throws {FileError} when one cannot be read.
 */
export async function dataDigest(places: Readonly<Record<string, string>>): Promise<string> {
  const files: [string, string][] = [];
  for (const [option, path] of Object.entries(places).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const isFolder = (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
    const inside = isFolder ? (await filesUnder(path)).sort() : [""];
    for (const name of inside) files.push([`${option}/${name}`, name === "" ? path : join(path, name)]);
  }
  return filesDigest(files);
}

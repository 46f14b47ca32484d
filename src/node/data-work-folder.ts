/**
 * The folder of unfinished data: runs that are done, shards that are written, and of which command they are, so that a
 * run that was stopped at any moment goes on where it was.
 */
import { createHash } from "node:crypto";
import { appendFile, readdir, rm, rmdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ShardEntry } from "../data/dataset.ts";
import { runsOfBlock } from "../data/example-records.ts";
import { RunReader, type Split } from "../data/run-file.ts";
import type { Runs } from "../data/shuffle-runs.ts";
import type { TextBlock } from "../data/text-blocks.ts";
import { FileError, verbatim } from "../errors.ts";
import { runPath } from "./data-job.ts";
import { lockFolder } from "./data-lock.ts";
import { fileError, makeFolder, readText, writeFileAtomic } from "./files.ts";
import { type FileSource, openFileSource } from "./memory-map.ts";

const COMMAND_FILE = "command.json";
const SHARDS_FILE = "shards.jsonl";

/** What decides the data besides the text: options by name. */
export type DataCommand = Readonly<Record<string, unknown>>;

/** A shard that is written and on the disk. */
export type FinishedShard = ShardEntry & { readonly split: Split };

/** An opened work folder; no other process has it open. */
export class WorkFolder {
  readonly path: string;
  /** Whether an earlier run of the same command has left the folder. */
  readonly isContinued: boolean;
  readonly #commandHash: string;
  readonly #groups: number;
  readonly #unlock: () => Promise<void>;
  #parts: readonly WorkFolder[] = [];
  /** Where the runs of blocks are that a part has made. */
  readonly #places = new Map<number, string>();

  private constructor(
    path: string,
    command: DataCommand,
    { isContinued, groups, unlock }: { isContinued: boolean; groups: number; unlock: () => Promise<void> },
  ) {
    this.path = path;
    this.isContinued = isContinued;
    this.#commandHash = sha256(JSON.stringify(command));
    this.#groups = groups;
    this.#unlock = unlock;
  }

  /**
   * Opens the folder, and makes it where it is not there.
   * @param overwrite - removes what another command has left. @param isResumable - false begins anew in any case.
   * @throws {FileError} when another run has it open, or another command left unfinished data.
   */
  static async open(
    path: string,
    command: DataCommand,
    options: { readonly dupeFactor: number; readonly overwrite: boolean; readonly isResumable: boolean },
  ): Promise<WorkFolder> {
    await makeWorkFolder(path);
    const unlock = await lockFolder(path);
    try {
      const file = join(path, COMMAND_FILE);
      const left = await readText(file).catch(() => undefined);
      const isSame = left === formatCommand(command);
      if (left !== undefined && !isSame && !options.overwrite) throw foreignWork(path, left, command);
      const isContinued = isSame && options.isResumable && !options.overwrite;
      if (!isContinued) {
        await clear(path);
        await writeFileAtomic(file, formatCommand(command));
      }
      return new WorkFolder(path, command, { isContinued, groups: runsOfBlock(options.dupeFactor), unlock });
    } catch (error) {
      await unlock();
      throw error;
    }
  }

  /** Opens the folders of parts as well: what they hold need not be made. @throws {FileError} as `open`. */
  async addParts(
    paths: readonly string[],
    command: DataCommand,
    options: { readonly dupeFactor: number; readonly overwrite: boolean },
  ): Promise<void> {
    const parts: WorkFolder[] = [];
    this.#parts = parts;
    for (const path of paths) parts.push(await WorkFolder.open(path, command, { ...options, isResumable: true }));
  }

  /** The digest of a block's text and of the command: runs of the same digest have the same content. */
  sourceOf({ number, bytes, parts }: TextBlock, isNew?: Uint8Array): string {
    // Of a part's place only that it begins a file matters (a byte order mark is no text there).
    const places = parts.map(({ offset, begin, end }) => [offset === 0, begin, end]);
    const digest = createHash("sha256")
      .update(JSON.stringify([this.#commandHash, number, places]))
      .update(bytes);
    return (isNew === undefined ? digest : digest.update(isNew)).digest("hex");
  }

  /** Whether all runs of a block are there and whole, here or in a part. */
  async isDone(block: number, source: string): Promise<boolean> {
    if (await this.#hasRuns(block, source)) return true;
    for (const part of this.#parts) {
      if (!(await part.#hasRuns(block, source))) continue;
      this.#places.set(block, part.path);
      return true;
    }
    return false;
  }

  async #hasRuns(block: number, source: string): Promise<boolean> {
    for (let group = 0; group < this.#groups; group++) {
      let file: FileSource | undefined;
      try {
        file = openFileSource(runPath(this.path, block, group), "ranged");
        const reader = await RunReader.open(file);
        if (reader.head.source !== source) return false;
        await reader.check();
      } catch {
        return false;
      } finally {
        file?.close();
      }
    }
    return true;
  }

  /** The runs of blocks. */
  runs(blocks: readonly number[]): Runs {
    return {
      count: blocks.length * this.#groups,
      open: async (index) => {
        const block = blocks[Math.floor(index / this.#groups)] as number;
        const path = runPath(this.#places.get(block) ?? this.path, block, index % this.#groups);
        const file = openFileSource(path, "ranged");
        try {
          return { reader: await RunReader.open(file), close: () => file.close() };
        } catch (error) {
          file.close();
          throw error;
        }
      },
    };
  }

  /**
   * The shards in `folder` that this command has written, in order, up to the first that is not there as it was.
   * @param runs - digest of the runs that they are of.
   */
  async finishedShards(folder: string, runs: string): Promise<FinishedShard[]> {
    const text = await readText(join(this.path, SHARDS_FILE)).catch(() => "");
    const [first, ...lines] = text.split("\n");
    const shards: FinishedShard[] = [];
    if (first === runs) {
      // The last line is empty, or was cut short.
      for (const line of lines.slice(0, -1)) {
        const shard = JSON.parse(line) as FinishedShard;
        const found = await stat(join(folder, shard.file)).catch(() => undefined);
        if (found?.size !== shard.bytes) break;
        shards.push(shard);
      }
    }
    await writeFileAtomic(
      join(this.path, SHARDS_FILE),
      `${[runs, ...shards.map((shard) => JSON.stringify(shard))].join("\n")}\n`,
    );
    return shards;
  }

  /** Notes a shard that is written. */
  async noteShard(shard: FinishedShard): Promise<void> {
    const path = join(this.path, SHARDS_FILE);
    await appendFile(path, `${JSON.stringify(shard)}\n`).catch((error: unknown) => {
      throw fileError(path, "a file that can be written", error);
    });
  }

  /**
   * Gives the folder up, and removes it unless it is kept to go on from.
   * @param arePartsKept - parts are other machines' work: they go when all is written, and not before.
   */
  async close(isKept: boolean, arePartsKept = isKept): Promise<void> {
    for (const part of this.#parts) await part.close(arePartsKept);
    if (!isKept) {
      // Without the command's name what is left belongs to none, should the process end in between.
      await rm(join(this.path, COMMAND_FILE), { force: true }).catch(() => undefined);
      await clear(this.path).catch(() => undefined);
    }
    await this.#unlock();
    // Only when it is empty: another run may have begun in it.
    if (!isKept) await rmdir(this.path).catch(() => undefined);
  }
}

async function makeWorkFolder(path: string): Promise<void> {
  try {
    await makeFolder(path);
  } catch (error) {
    throw fileError(path, "a folder for unfinished data", error);
  }
}

/** Removes all but locks. */
async function clear(path: string): Promise<void> {
  try {
    for (const name of await readdir(path)) {
      if (!/^\.?lock\b/.test(name)) await rm(join(path, name), { recursive: true, force: true });
    }
  } catch (error) {
    throw fileError(path, "a folder whose files can be removed", error);
  }
}

function formatCommand(command: DataCommand): string {
  return `${JSON.stringify(command, undefined, 2)}\n`;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function foreignWork(path: string, left: string, command: DataCommand): FileError {
  return new FileError({
    where: path,
    expected: "unfinished data of this command",
    got: verbatim(`those of another (${differences(left, command)})`),
    hint: "finish them with the options that they were begun with, or remove them with --overwrite",
  });
}

/** The options in which two commands differ. */
function differences(left: string, command: DataCommand): string {
  let other: DataCommand;
  try {
    other = JSON.parse(left) as DataCommand;
  } catch {
    return "of another version";
  }
  const names = new Set([...Object.keys(other), ...Object.keys(command)]);
  const changed = [...names].filter((name) => JSON.stringify(other[name]) !== JSON.stringify(command[name]));
  const show = (value: unknown) => (typeof value === "object" || String(value).length > 40 ? "another" : String(value));
  return changed.map((name) => `${name}: ${show(other[name])}, not ${show(command[name])}`).join("; ");
}

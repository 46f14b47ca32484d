/** `zhbert download`: a model from a hub into the cache folder that the Python libraries share. */
import { join } from "node:path";
import type { OutputFile } from "../../checkpoint/format.ts";
import { type DownloadedModel, type DownloadProgress, downloadModelFiles } from "../../node/hub.ts";
import { mapFile } from "../../node/memory-map.ts";
import { identities, writeFolder } from "../../node/write-folder.ts";
import { defineCommand, type Output, type Progress } from "../command.ts";
import { inMegabytes } from "../numbers.ts";

export default defineCommand({
  name: "download",
  summary: "download a model from Hugging Face or ModelScope: resumed, checked, shared with the cache of Python",
  arguments: [{ name: "model", description: "OWNER/NAME on the hub, or an alias (see zhbert models)" }],
  options: [
    { flags: "-o, --output <folder>", description: "copy the files into a plain folder too" },
    { flags: "--overwrite", description: "replace files of the same names in that folder" },
    { flags: "--revision <name>", description: "a branch, tag or commit (default: main; ModelScope: master)" },
    {
      flags: "--source <hub>",
      description: "where to download from",
      choices: ["huggingface", "modelscope"],
      default: "huggingface",
    },
    { flags: "--mirror <url>", description: "another address of the hub (default: HF_ENDPOINT)" },
    { flags: "--cache-dir <folder>", description: "the cache of all models (default: HF_HUB_CACHE, HF_HOME)" },
    {
      flags: "--include <patterns>",
      description: "further files besides config, vocabulary and weights, with commas between: *.md,onnx/*",
      parse: (text) => text.split(","),
    },
    { flags: "--all", description: "all files of the repository" },
    { flags: "--token <token>", description: "for private and gated models (default: HF_TOKEN)" },
    { flags: "--offline", description: "take what is in the cache, without network" },
  ],
  examples: [
    "zhbert download hfl/chinese-roberta-wwm-ext",
    "zhbert download hfl/rbt3 --mirror https://hf-mirror.com -o rbt3/",
    "zhbert download dienstag/chinese-bert-wwm --source modelscope",
  ],
  async run({ args, options, output, signal }) {
    const show = byteProgress(output);
    const model = await downloadModelFiles(args["model"], {
      revision: options["revision"],
      source: options["source"],
      mirror: options["mirror"],
      cacheDir: options["cacheDir"],
      token: options["token"],
      // Left out, the environment decides.
      offline: options["offline"],
      files: options["all"] === true ? ["*"] : options["include"],
      onProgress: show.update,
      onNote: (text) => output.note(text),
      signal,
    }).finally(show.stop);
    const folder = options["output"] ?? model.folder;
    if (folder !== model.folder) {
      const inputs = await identities(model.files.map(({ path }) => join(model.folder, path)));
      await writeFolder(folder, copies(model), { overwrite: options["overwrite"] ?? false, inputs, signal });
    }
    const files = model.files.map(({ path, sizeBytes, sha256 }) => ({ path, bytes: sizeBytes, sha256 }));
    output.json({ name: model.name, folder, files });
    output.print(folder);
  },
});

/** A bar in megabytes that begins when there is something to download. */
function byteProgress(output: Output): { update(progress: DownloadProgress): void; stop(): void } {
  let bar: Progress | undefined;
  return {
    update: ({ doneBytes, totalBytes, path }) => {
      bar ??= output.progress({ total: Math.max(0.1, inMegabytes(totalBytes)), unit: "MB", label: "download" });
      bar.update(inMegabytes(doneBytes), { file: path });
    },
    stop: () => bar?.stop(),
  };
}

/** A chunk of a copy; the file is mapped, so that its size costs nothing. */
const CHUNK_BYTES = 1 << 26;

/** The files of a model to be written elsewhere; as lists of chunks, so that what is there already is left. */
function* copies({ folder, files }: DownloadedModel): Generator<OutputFile> {
  for (const { path } of files) {
    const source = mapFile(join(folder, path));
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < source.size; at += CHUNK_BYTES) {
      chunks.push(source.slice(at, Math.min(source.size, at + CHUNK_BYTES)));
    }
    yield { path, chunks };
  }
}

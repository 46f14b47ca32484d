/**
 * A checkpoint of BERT-base's size into memory, in each format, against the library of the format: MB a second until every
 * page of every tensor has been read; the file is in the system's cache. Each run is a fresh process.
 */
import { fileURLToPath } from "node:url";
import type { Bench, Side } from "./bench.ts";
import { checkpointPath, libraryPeer, type MeasuredFormat, prepareCheckpoint } from "./checkpoints.ts";
import { runFresh } from "./fresh-process.ts";

const once = fileURLToPath(new URL("./load-once.ts", import.meta.url));

function ours(format: MeasuredFormat): Side {
  return {
    name: `zhbert ${format}`,
    async prepare({ layers }) {
      const folder = await prepareCheckpoint(layers as number, format);
      const run = () => runFresh(["--import", "tsx", once, folder]);
      const { bytes } = await run();
      return { version: "", amounts: { bytes: bytes as number }, run };
    },
  };
}

const library = (name: string, kind: string, format: MeasuredFormat): Side => ({
  name,
  peer: ({ layers }) => libraryPeer(kind, checkpointPath(layers as number, format)),
});

const bench: Bench = {
  summary: "a checkpoint into memory, every tensor read; fresh processes, file in the system's cache",
  settings: { layers: [12, "Transformer layers of 768 columns"] },
  rounds: 7,
  rate: { amount: "bytes", scale: 1e-6, unit: "MB/s" },
  sides: [
    ours("safetensors"),
    ours("pytorch"),
    ours("tensorflow"),
    ours("paddle"),
    library("safetensors.torch.load_file", "safetensors", "safetensors"),
    library("torch.load", "torch", "pytorch"),
    library("torch.load mmap", "torch-mmap", "pytorch"),
    library("tf.train.load_checkpoint", "tensorflow", "tensorflow"),
    library("paddle.load", "paddle", "paddle"),
  ],
  comparisons: [
    { ours: "zhbert safetensors", theirs: "safetensors.torch.load_file" },
    { ours: "zhbert pytorch", theirs: "torch.load" },
    { ours: "zhbert pytorch", theirs: "torch.load mmap" },
    { ours: "zhbert tensorflow", theirs: "tf.train.load_checkpoint" },
    { ours: "zhbert paddle", theirs: "paddle.load" },
  ],
  same: ["bytes"],
  remark: ({ open_seconds: open = 0, growth_mb: growth = 0, private_mb: own = 0 }, { bytes = 0 }) =>
    `opened in ${Math.round(open * 1000)} ms; memory +${Math.round(growth)} MiB at most (${((growth * 2 ** 20) / bytes).toFixed(2)}x the weights), ${Math.round(own)} MiB of it not the file's`,
};
export default bench;

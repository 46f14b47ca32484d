/**
 * A checkpoint of BERT-base's size from one format to another, on the disk and synced: MB of weights a second. Each run is a
 * fresh process, timed without its start; Python's libraries have their files synced as well.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Bench, type Facts, type Side, Skip } from "./bench.ts";
import { checkpointPath, libraryPeer, type MeasuredFormat, prepareCheckpoint } from "./checkpoints.ts";
import { benchFolder } from "./corpus.ts";
import { runFresh } from "./fresh-process.ts";

const program = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
/** Adds the peak memory of the program's process to what it prints. */
const reporter = fileURLToPath(new URL("./report-memory.mjs", import.meta.url));

function ours(from: MeasuredFormat, to: MeasuredFormat | "onnx", more: readonly string[] = []): Side {
  return {
    name: `zhbert ${from} to ${to}`,
    async prepare({ layers }) {
      if (!existsSync(program)) throw new Skip("dist/ is not there: run npm run build");
      const source = await prepareCheckpoint(layers as number, from);
      const folder = mkdtempSync(join(tmpdir(), "zhbert-bench-"));
      process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
      const output = join(folder, "out");
      const args = ["--import", reporter, program, "convert", source, "-o", output, "--to", to];
      const run = async (): Promise<Facts> => {
        const facts = await runFresh([...args, ...more, "--json"]);
        rmSync(output, { recursive: true, force: true });
        return facts;
      };
      const { bytes } = await run();
      return { version: "", amounts: { bytes: bytes as number }, run };
    },
  };
}

const library = (name: string, from: MeasuredFormat, to: MeasuredFormat): Side => ({
  name,
  peer: ({ layers }) =>
    libraryPeer(`${from}:${to}`, checkpointPath(layers as number, from), `${benchFolder}converted-by-library`),
});

const bench: Bench = {
  summary: "a checkpoint to another format, on the disk; fresh processes, timed without their start",
  settings: { layers: [12, "Transformer layers of 768 columns"] },
  rounds: 5,
  rate: { amount: "bytes", scale: 1e-6, unit: "MB/s" },
  sides: [
    ours("safetensors", "pytorch"),
    ours("pytorch", "safetensors"),
    ours("tensorflow", "safetensors"),
    ours("safetensors", "tensorflow"),
    ours("safetensors", "paddle"),
    ours("safetensors", "onnx", ["--task", "pretraining"]),
    library("safetensors to torch.save", "safetensors", "pytorch"),
    library("torch.load to safetensors", "pytorch", "safetensors"),
  ],
  comparisons: [
    { ours: "zhbert safetensors to pytorch", theirs: "safetensors to torch.save" },
    { ours: "zhbert pytorch to safetensors", theirs: "torch.load to safetensors" },
  ],
  same: ["bytes"],
};
export default bench;

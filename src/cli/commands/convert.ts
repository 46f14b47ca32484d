/** `zhbert convert`: a model in the files of another program. */
import { conversionTargets } from "../../inference/convert-model.ts";
import { exportTasks } from "../../model/export-graphs.ts";
import { LOADING_HEAD, loadingRows, missingParts } from "../../model/loading-report.ts";
import { type ConvertResult, convert } from "../../node/convert.ts";
import { type CommandContext, defineCommand, type Output, type Progress } from "../command.ts";
import { downloadOptions, hubOptions, modelArgument } from "../model.ts";
import { byteCount, inMegabytes, wholeNumber } from "../numbers.ts";

export default defineCommand({
  name: "convert",
  summary: "write a model in the files of another program",
  arguments: [modelArgument],
  options: [
    { flags: "-o, --output <folder>", description: "folder for the new files", default: "converted" },
    {
      flags: "--to <format>",
      description: "Transformers' files (safetensors, pytorch), Google's (tensorflow), PaddleNLP's (paddle), or onnx",
      choices: conversionTargets,
      default: "safetensors",
    },
    {
      flags: "--dtype <type>",
      description: "precision of the weights, rounded to the nearest (default: keep; onnx: float32)",
      choices: ["keep", "float32", "float16", "bfloat16"],
    },
    {
      flags: "--only <part>",
      description: "encoder leaves all heads out",
      choices: ["all", "encoder"],
      default: "all",
    },
    {
      flags: "--max-shard-size <size>",
      description: "safetensors, pytorch: the most bytes of one file, such as 500MB or 2GiB (default: one file)",
      parse: byteCount("--max-shard-size"),
    },
    {
      flags: "--task <task>",
      description: "onnx: what the model computes (default: features)",
      choices: exportTasks,
    },
    {
      flags: "--opset <n>",
      description: "onnx: version of the operators, 13 to 21 (default: 17)",
      parse: wholeNumber("--opset"),
    },
    {
      flags: "--external-data",
      description: "onnx: weights in a file beside the model (default: where they take more than 1.5 GiB)",
    },
    { flags: "--overwrite", description: "replace files of the same names" },
    ...hubOptions,
  ],
  examples: [
    "zhbert convert chinese_wwm_ext_L-12_H-768_A-12.zip -o out/ --to pytorch",
    "zhbert convert out/ -o out-tf/ --to tensorflow",
    "zhbert convert out/ -o web/ --to onnx --task fill-mask --dtype float16",
  ],
  run: runConvert,
});

async function runConvert(context: CommandContext): Promise<void> {
  const { args, options, output, signal } = context;
  const { to, dtype, only, task, opset, externalData, overwrite = false } = options;
  const given = { dtype, maxShardBytes: options["maxShardSize"], task, opset, externalData };
  const { stop, ...download } = downloadOptions(context);
  let progress: Progress | undefined;
  const result = await convert(args["model"], options["output"], {
    to,
    only,
    overwrite,
    download,
    signal,
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    onBytes: (done, total) => {
      if (progress === undefined) stop();
      progress ??= output.progress({ total: inMegabytes(total), unit: "MB", label: `writing ${to}` });
      progress.update(inMegabytes(done));
    },
  });
  progress?.stop();
  report(result, to, output);
}

function report(result: ConvertResult, to: string, output: Output): void {
  const { written, missing, unknown, dropped, overflows, notes, files, bytes, seconds, ...source } = result;
  output.json({
    ...source,
    to,
    files,
    tensors: written.length,
    bytes,
    seconds,
    missing,
    unknown,
    dropped,
    overflows: Object.fromEntries(overflows),
    notes,
  });
  output.print(`${source.source}: ${source.format}, names of ${source.dialect}`);
  const rows = loadingRows({ loaded: written, missing: [], unexpected: unknown, reshaped: [] }, dropped);
  output.table(
    LOADING_HEAD,
    rows.map(([what, ...rest]) => [words[what] ?? what.replace("ignored", "left out"), ...rest]),
  );
  output.print();
  output.table(
    ["file", "bytes"],
    files.map((file) => [file.path, file.bytes]),
  );
  for (const note of notes) output.note(note);
  for (const { warning } of missingParts(missing)) output.note(warning);
  noteOverflows(overflows, output);
}

const words: Readonly<Record<string, string>> = { loaded: "written", unexpected: "written under unknown names" };

function noteOverflows(overflows: ReadonlyMap<string, number>, output: Output): void {
  if (overflows.size === 0) return;
  const values = [...overflows.values()].reduce((sum, count) => sum + count, 0);
  const [first] = overflows.keys();
  output.note(
    `${values} values are too large for this precision and became infinite, in ${overflows.size} tensors (${first}): --dtype bfloat16 or float32 holds them`,
  );
}

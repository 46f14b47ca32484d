/** `zhbert inspect`: what a model's files hold, without loading their weights. */
import { CheckpointError, verbatim } from "../../errors.ts";
import { findDangers, inspectModel, type ModelInspection, type TensorFacts } from "../../inference/inspect-model.ts";
import { LOADING_HEAD, loadingRows, missingParts } from "../../model/loading-report.ts";
import { openModelSource } from "../../node/model-source.ts";
import { formatType } from "../../util/tensor.ts";
import { type CommandContext, defineCommand, type Output } from "../command.ts";
import { downloadOptions, hubOptions, modelArgument } from "../model.ts";

export default defineCommand({
  name: "inspect",
  summary: "show what a model's files hold: format, names, sizes, heads, dangers; no weights are loaded",
  arguments: [modelArgument],
  options: [{ flags: "--tensors", description: "list every tensor with dtype and shape" }, ...hubOptions],
  examples: ["zhbert inspect chinese_wwm_ext_L-12_H-768_A-12.zip", "zhbert inspect pytorch_model.bin --tensors"],
  async run(context) {
    const { args, options, output } = context;
    const { stop, ...download } = downloadOptions(context);
    const { files, checkpoint } = await openModelSource(args["model"], download);
    stop();
    const chosen = checkpoint === undefined ? {} : { checkpoint };
    expectHarmless(await findDangers(files, chosen), args["model"], output);
    const inspection = await inspectModel(files, chosen);
    output.json({ ...inspection, dangers: [] });
    print(inspection, options, output);
  },
});

/** @throws {CheckpointError} after saying what is dangerous. */
function expectHarmless(dangers: readonly string[], name: string, output: Output): void {
  if (dangers.length === 0) return;
  output.json({ where: name, dangers });
  output.table(
    ["danger"],
    dangers.map((danger) => [danger]),
  );
  throw new CheckpointError({
    where: name,
    expected: "a file that holds tensors and nothing to execute",
    got: verbatim(`${dangers[0]}${dangers.length > 1 ? ` and ${dangers.length - 1} more` : ""}`),
    hint: "nothing of it was loaded; take the weights from a source that you trust, best as safetensors",
  });
}

function print(inspection: ModelInspection, options: CommandContext["options"], output: Output): void {
  const { report, ignored, notes, tensors } = inspection;
  output.table(["model", ""], facts(inspection));
  output.print();
  output.table(LOADING_HEAD, loadingRows(report, ignored));
  if (options["tensors"]) {
    output.print();
    output.table(
      ["tensor", "type"],
      tensors.map(({ name, dtype, shape }) => [name, formatType(dtype, shape)]),
    );
  }
  for (const note of notes) output.note(note);
  for (const { warning } of missingParts(report.missing)) output.note(warning);
}

function facts({ where, format, dialect, config, vocabulary, parameters, bytes, tensors, mlmHead }: ModelInspection) {
  const field = (name: string) => String(config?.[name] ?? "unknown");
  const shape = ["num_hidden_layers", "hidden_size", "num_attention_heads"].map(field);
  const rows: [string, string][] = [
    ["file", where],
    ["format", `${format}, names of ${dialect}`],
    ["layers, hidden size, heads", shape.join(", ")],
    ["activation", field("hidden_act")],
    ["positions", field("max_position_embeddings")],
    ["vocabulary", vocabulary === undefined ? `${field("vocab_size")} (no vocab.txt)` : String(vocabulary)],
    ["parameters", parameters.toLocaleString("en")],
    ["tensors", `${tensors.length}, ${dtypes(tensors)}, ${(bytes / 1e6).toFixed(1)} MB`],
  ];
  if (mlmHead) rows.push(["MLM head", mlmHead.state], ...mlmHead.evidence.map((line): [string, string] => ["", line]));
  return rows;
}

function dtypes(tensors: readonly TensorFacts[]): string {
  return [...new Set(tensors.map(({ dtype }) => dtype))].join(", ");
}

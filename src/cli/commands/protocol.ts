/** `zhbert protocol`: models x tasks x seeds from a YAML file, as publications run them. */

import { readProtocol, runProtocol } from "../../node/protocol.ts";
import { cellRunner } from "../../node/protocol-cell.ts";
import { checkInWords, optionsInWords, protocolTables } from "../../report/protocol-tables.ts";
import type { Runtime } from "../../runtime/runtime.ts";
import type { ProtocolCell } from "../../tasks/protocol/protocol.ts";
import { type CommandContext, defineCommand, type Progress } from "../command.ts";
import { readRunOption, runOptionsOf } from "../run-settings.ts";
import { openEngine, runtimeOptions } from "../runtime-options.ts";
import { packageVersion } from "../version.ts";

export default defineCommand({
  name: "protocol",
  summary: "fine-tune models x tasks x seeds from a YAML file, and print maximum (mean) beside the published results",
  arguments: [{ name: "file", description: "models, tasks, seeds and options, as docs/reproduce.md shows" }],
  options: [
    {
      flags: "-o, --output <folder>",
      description: "of the runs and results (default: the file's output, or its name without .yaml)",
    },
    { flags: "--list", description: "print the runs that there would be, and end" },
    ...runtimeOptions,
  ],
  examples: [
    "zhbert protocol baselines.yaml",
    "zhbert protocol baselines.yaml --list",
    "zhbert protocol small.yaml -o runs/",
  ],
  async run(context) {
    const { args, options } = context;
    if (options["list"]) return list(context);
    const { runtime, release } = await openEngine(context, "training");
    try {
      await runAll(context, args["file"], runtime);
    } finally {
      await release();
    }
  },
});

/** Every run without running it; the file is checked. */
async function list({ args, output }: CommandContext): Promise<void> {
  const { cells } = await readProtocol(args["file"], readRunOption);
  for (const { model, task, seed, options, folder } of cells) {
    output.json({ model: model.name, task: task.name, seed, options, folder });
  }
  output.table(
    ["model", "task", "seed", "options"],
    cells.map(({ model, task, seed, options }) => [model.name, task.name, String(seed), optionsInWords(options)]),
  );
}

async function runAll({ options, output, signal }: CommandContext, file: string, runtime: Runtime): Promise<void> {
  let progress: Progress | undefined;
  const report = { version: packageVersion(), date: new Date().toISOString().slice(0, 10) };
  const runCell = cellRunner({ optionsOf: runOptionsOf, runtime, report, onNote: (text) => output.note(text) });
  const { results, files } = await runProtocol(file, {
    runCell,
    readOption: readRunOption,
    signal,
    report,
    ...(options["output"] === undefined ? {} : { output: options["output"] }),
    onStart: ({ cells, finished }) => {
      if (finished > 0) output.note(`${finished} of ${cells} runs are finished already`);
      if (finished < cells) {
        progress = output.progress({ total: cells - finished, unit: "runs", label: "protocol" });
      }
    },
    onProgress: (done, cell, fields) => progress?.update(Number(done.toFixed(2)), { run: runName(cell), ...fields }),
    onFailed: ({ error, hint, ...cell }) =>
      output.note(`${runName(cell)} failed: ${error}${hint === "" ? "" : ` (${hint})`}`),
  }).finally(() => progress?.stop());
  for (const row of results.rows) output.json({ ...row });
  for (const { title, note, columns, rows } of protocolTables(results)) {
    output.print(note === undefined ? title : `${title}: ${note}`);
    output.table(columns, rows);
    output.print();
  }
  for (const { model, task, checks } of results.rows) {
    if (checks.length === 0) continue;
    output.print(`${model} on ${task} is below the published results; check first:`);
    for (const check of checks) output.print(`  ${checkInWords(check)}`);
  }
  const { finished, missing, failed } = results;
  output.json({ runs: finished.length, failed: failed.length, missing, files });
  output.table(
    ["file", "what it is"],
    [
      [files.html, "the report: charts of seeds and courses, bands, significance"],
      [files.markdown, "the tables as Markdown"],
      [files.json, "every number, for programs"],
    ],
  );
}

function runName({ model, task, seed }: Pick<ProtocolCell, "model" | "task" | "seed">): string {
  return `${model.name} ${task.name} seed ${seed}`;
}

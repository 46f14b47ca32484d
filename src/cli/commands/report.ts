/** `zhbert report`: a run, or several over each other, as one HTML file. */
import { join } from "node:path";
import { UsageError } from "../../errors.ts";
import { writeFileAtomic } from "../../node/files.ts";
import { measureMachinePeak } from "../../node/machine-peak.ts";
import { fillSamples, readRuns, SAMPLE_TEXTS } from "../../node/report-run.ts";
import { openTextLines } from "../../node/text-lines.ts";
import type { RunData } from "../../report/run-data.ts";
import { runReport } from "../../report/run-report.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { openEngine, runtimeOptions } from "../runtime-options.ts";
import { packageVersion } from "../version.ts";

/** As many as the charts have colours. */
const MAX_RUNS = 6;
/** The name of the report within a run's folder, and of several runs' where the command is run. */
const REPORT_FILE = "report.html";

export default defineCommand({
  name: "report",
  summary: "show a pre-training run as one HTML file: curves, best values, settings, filled texts; or compare runs",
  arguments: [{ name: "runs", description: "folders of runs; several are laid over each other", variadic: true }],
  options: [
    {
      flags: "-o, --output <file>",
      description: `the HTML file (default: ${REPORT_FILE} in the run's folder; of several runs, here)`,
    },
    { flags: "--texts <file>", description: "texts with [MASK] to fill, one a line (default: eight of our own)" },
    { flags: "--before <model>", description: "fill them by this model too (default: the first checkpoint there is)" },
    { flags: "--no-samples", description: "fill no texts: no model is loaded" },
    {
      flags: "--measure-peak",
      description: "measure this machine's matrix products, where the runs were made here: the throughput's share",
    },
    ...runtimeOptions,
  ],
  examples: ["zhbert report out/", "zhbert report whole-word/ character/ -o masking.html"],
  async run(context) {
    const { args, options, output } = context;
    const paths: readonly string[] = args["runs"];
    if (paths.length > MAX_RUNS) {
      throw new UsageError({
        where: "runs",
        expected: `at most ${MAX_RUNS}, so that curves can be told apart`,
        got: paths.length,
      });
    }
    const read = await readRuns(paths);
    const texts = await textsOf(context);
    const { runtime, release } = await openEngine(context, "inference");
    const runs: RunData[] = [];
    try {
      const machinePeak = options["measurePeak"] ? await measureMachinePeak(runtime) : undefined;
      for (const run of read) {
        const samples = await fillSamples(run, { runtime, texts, ...beforeOf(options) });
        runs.push({ ...run, samples, machinePeak });
      }
    } finally {
      await release();
    }
    const file: string =
      options["output"] ?? (paths.length === 1 ? join(paths[0] as string, REPORT_FILE) : REPORT_FILE);
    const date = new Date().toISOString().slice(0, 10);
    const html = await runReport(runs, { version: packageVersion(), date });
    await writeFileAtomic(file, html);
    for (const { name, notes } of runs) for (const note of notes) output.note(`${name}: ${note}`);
    output.json({ file, bytes: Buffer.byteLength(html), runs: runs.map(({ name }) => name) });
    output.print(`${file}: ${(Buffer.byteLength(html) / 1e3).toFixed(0)} kB`);
  },
});

/** The texts to fill; none without samples. */
async function textsOf({ options, signal }: CommandContext): Promise<readonly string[]> {
  if (!options["samples"]) return [];
  if (options["texts"] === undefined) return SAMPLE_TEXTS;
  const texts: string[] = [];
  const { lines } = await openTextLines(options["texts"], { signal, outputs: [] });
  for await (const line of lines) if (line.trim() !== "") texts.push(line);
  return texts;
}

function beforeOf({ before }: CommandContext["options"]): { before?: string } {
  return before === undefined ? {} : { before };
}

/** `zhbert search`: the best learning rate (and other options) on dev, bad runs stopped early. */
import { UsageError, verbatim } from "../../errors.ts";
import { type SearchResult, type SearchTrial, searchOptions } from "../../node/search.ts";
import { optionsInWords } from "../../report/protocol-tables.ts";
import { learningRateGrid } from "../../tasks/protocol/default-rates.ts";
import type { OptionValue, OptionValues } from "../../tasks/protocol/protocol.ts";
import { inPercent } from "../../util/percent.ts";
import { type CommandContext, defineCommand, type Progress } from "../command.ts";
import { fineTuneOptions } from "../finetune-options.ts";
import { givenValue, longName } from "../run-options.ts";
import { readRunOption, runOptionsOf } from "../run-settings.ts";
import { openEngine, runtimeOptions } from "../runtime-options.ts";

/** Options of a fine-tuning that a search sets itself; its rounds are epochs. */
const OWN = [
  ...["runs", "overwrite", "learning-rate", "batch-size", "epochs", "output", "keep-checkpoints"],
  ...["steps", "eval-steps"],
];
const runFlags = fineTuneOptions.filter((option) => !OWN.includes(longName(option)));

export default defineCommand({
  name: "search",
  summary: "search learning rates, batch sizes and epochs on dev; bad runs are stopped early",
  arguments: [{ name: "task", description: "a data set's name or a task, as of zhbert finetune" }],
  options: [
    ...runFlags,
    { flags: "-o, --output <folder>", description: "of the runs; the same call goes on there (default: search)" },
    {
      flags: "--learning-rates <list>",
      description: `with commas between (default: those of the published table, ${learningRateGrid()
        .map((rate) => rate.toExponential())
        .join(",")})`,
    },
    { flags: "--batch-sizes <list>", description: "with commas between (default: as published for the data)" },
    { flags: "--epochs <list>", description: "with commas between (default: as published for the data)" },
    { flags: "--exhaustive", description: "train every run to its end" },
    ...runtimeOptions,
  ],
  examples: [
    "zhbert search chnsenticorp --model hfl/rbt3 --data chnsenticorp/ -o search/",
    "zhbert search classify --model M --train train.csv --dev dev.csv --learning-rates 2e-5,5e-5 --batch-sizes 16,32",
  ],
  async run(context) {
    const { args, options, output, signal } = context;
    const model: string | undefined = options["model"];
    if (model === undefined) {
      const hint = "for example --model hfl/rbt3; zhbert models lists those that are published";
      throw new UsageError({ where: "--model", expected: "a model to fine-tune", got: verbatim("none"), hint });
    }
    const { runtime, release } = await openEngine(context, "training");
    let progress: Progress | undefined;
    try {
      const result = await searchOptions({
        model,
        task: args["task"],
        options: optionsOfRuns(context),
        grid: gridOf(context),
        output: options["output"] ?? "search",
        optionsOf: runOptionsOf,
        runtime,
        signal,
        ...(options["seed"] === undefined ? {} : { seed: options["seed"] }),
        ...(options["exhaustive"] ? { isExhaustive: true } : {}),
        onNote: once((text) => output.note(text)),
        onStart: (rungs) => {
          const rounds = rungs.map(({ places, evaluations }) => `${places} for ${evaluations}`);
          output.note(`runs, and the epochs that each has behind it after a round: ${rounds.join(", then ")}`);
          const total = rungs.reduce(
            (sum, { places, evaluations }, i) => sum + places * (evaluations - (rungs[i - 1]?.evaluations ?? 0)),
            0,
          );
          progress = output.progress({ total, unit: "epochs", label: "search" });
        },
        onProgress: (done, place, fields) => progress?.update(done, { run: optionsInWords(place), ...fields }),
        onTrial: (trial) => output.json(trialJson(trial)),
      });
      progress?.stop();
      print(context, result);
    } finally {
      progress?.stop();
      await release();
    }
  },
});

/** What all runs share, as the values of YAML would say it. */
function optionsOfRuns({ options }: CommandContext): OptionValues {
  const own = ["model", "seed"];
  const given = runFlags.filter((option) => !own.includes(longName(option)));
  return Object.fromEntries(
    given.flatMap((option) => {
      const value = givenValue(options, option);
      if (value === undefined) return [];
      const name = longName(option).replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
      return [[name, Array.isArray(value) ? value.join(",") : (value as OptionValue)]];
    }),
  );
}

/** The lists to search: learning rates at least. */
function gridOf({ options }: CommandContext): Record<string, readonly OptionValue[]> {
  const lists = { learningRates: "learningRate", batchSizes: "batchSize", epochs: "epochs" };
  const grid: Record<string, readonly OptionValue[]> = { learningRate: learningRateGrid() };
  for (const [option, name] of Object.entries(lists)) {
    const text: string | undefined = options[option];
    if (text === undefined) continue;
    const flag = `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const values = text.split(",").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
    for (const [i, value] of values.entries()) {
      readRunOption(name, value, flag);
      if (values.indexOf(value) !== i) throw new UsageError({ where: flag, expected: "each value once", got: text });
    }
    grid[name] = values;
  }
  return grid;
}

function once(tell: (text: string) => void): (text: string) => void {
  const told = new Set<string>();
  return (text) => {
    if (!told.has(text)) tell(text);
    told.add(text);
  };
}

function trialJson({ place, values, isComplete, failed, folder }: SearchTrial): object {
  return { options: place, dev: values, isComplete, ...(failed === undefined ? {} : { failed }), folder };
}

function print({ args, options, output }: CommandContext, { metric, trials, best }: SearchResult): void {
  const shown = (value: number) => (Number.isFinite(value) ? inPercent(value) : "–");
  output.table(
    ["options", `${metric} on dev by epoch, %`, "run"],
    trials.map(({ place, values, isComplete, failed }) => [
      optionsInWords(place),
      values.map(shown).join(" "),
      failed ?? (isComplete ? "to the end" : "stopped early"),
    ]),
  );
  if (best === undefined) {
    output.note("no run came to its end: see what failed above");
    return;
  }
  const flags = Object.entries(best.place).map(
    ([name, value]) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} ${value}`,
  );
  output.json({ best: best.place, metric, dev: best.values, folder: best.folder });
  output.print(`\nbest: ${optionsInWords(best.place)}; its model is in ${best.folder}`);
  output.print(
    `several seeds: zhbert finetune ${args["task"]} --model ${options["model"]} ${flags.join(" ")} --runs 3 ...`,
  );
}

/** `zhbert finetune`: trains a model for a task on labelled data, or goes on with a run. */
import { UsageError, verbatim } from "../../errors.ts";
import { fineTune, resumeFineTuning } from "../../node/fine-tune.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { FineTuningDisplay } from "../finetune-display.ts";
import { expectNoneGiven, fineTuneOptions, fineTuningOf } from "../finetune-options.ts";
import { downloadOptions, hubOptions } from "../model.ts";
import { option } from "../run-options.ts";
import { engineChoice, runRuntimeOptions } from "../runtime-options.ts";

export default defineCommand({
  name: "finetune",
  summary: "fine-tune a model on labelled data: a known data set or your own, for any of the tasks",
  arguments: [
    {
      name: "task",
      description: "a data set's name (chnsenticorp, cmrc2018, ...) or a task: classify, match, ner, qa, ...",
      optional: true,
    },
  ],
  options: [
    option("--resume <folder>", "go on with the fine-tuning in this folder, bit for bit"),
    ...fineTuneOptions,
    ...runRuntimeOptions,
    ...hubOptions,
  ],
  examples: [
    "zhbert finetune chnsenticorp --model hfl/rbt3 --data chnsenticorp/ -o out/ --runs 3",
    "zhbert finetune classify --model out-pretrained/ --train train.csv --dev dev.csv --text-column review -o out/",
    "zhbert finetune ner --model hfl/rbt3 --train train.txt --dev dev.txt --epochs 5 --lr 3e-5 -o out/",
    "zhbert finetune --resume out/",
  ],
  async run(context) {
    const { resume } = context.options;
    const display = new FineTuningDisplay(context.output);
    const { stop, ...download } = downloadOptions(context);
    const environment = {
      ...display.watcher,
      download,
      signal: context.signal,
      ...engineChoice(context),
    };
    const work = () => {
      if (resume === undefined) return fineTune({ ...fineTuningOf(context.options, nameOf(context)), ...environment });
      if (context.args["task"] !== undefined) throw twice(context.args["task"]);
      expectNoneGiven(context.options);
      return resumeFineTuning(resume, environment);
    };
    try {
      display.end(await work());
    } finally {
      stop();
      display.stop();
    }
  },
});

function nameOf({ args }: CommandContext): string {
  const { task } = args;
  if (task !== undefined) return task;
  throw new UsageError({
    where: "task",
    expected: "a data set's name or a task, or --resume with the folder of a run",
    got: verbatim("none"),
    hint: "for example: zhbert finetune classify --model hfl/rbt3 --train train.csv -o out/",
  });
}

function twice(task: string): UsageError {
  return new UsageError({
    where: "--resume",
    expected: "the folder alone: the run knows its task",
    got: task,
    hint: `leave out ${task}`,
  });
}

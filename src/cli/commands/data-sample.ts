/** `zhbert data sample`: instances of a data folder as people read them. */

import { instanceLine } from "../../data/jsonl.ts";
import { openDataset } from "../../node/dataset.ts";
import { Random } from "../../util/random.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { legend, renderSample } from "../masked-text.ts";
import { wholeNumber } from "../numbers.ts";

export default defineCommand({
  name: "data-sample",
  summary: "show instances of training data: tokens, words, masks, next sentence label",
  arguments: [{ name: "data", description: "a data folder" }],
  options: [
    { flags: "-n, --samples <n>", description: "how many to show", default: 5, parse: wholeNumber("--samples", 1) },
    {
      flags: "--seed <n>",
      description: "the same seed shows the same instances",
      default: 1,
      parse: wholeNumber("--seed"),
    },
    { flags: "--held-out", description: "instances kept apart for evaluation, in place of the others" },
  ],
  examples: ["zhbert data sample shards/ -n 5", "zhbert data sample shards/ --json"],
  run,
});

async function run({ args, options, output }: CommandContext): Promise<void> {
  const { description, vocabulary, train, heldOut, close } = await openDataset(args["data"]);
  try {
    const source = options["heldOut"] === true ? heldOut : train;
    const random = Random.derive(Number(options["seed"]), 0);
    const wanted = Math.min(Number(options["samples"]), source.count);
    const drawn = new Set<number>();
    while (drawn.size < wanted) drawn.add(random.integer(source.count));
    if (!output.isJson) output.print(legend());
    for (const index of [...drawn].sort((a, b) => a - b)) {
      const instance = await source.instance(index);
      const { inputIds, maskedLmPositions, nextSentenceLabel } = instance;
      output.json({ index, ...instanceLine(instance, vocabulary), wordStarts: [...instance.wordStarts] });
      output.print();
      const label = description.settings.nextSentence ? `, next sentence label ${nextSentenceLabel}` : "";
      output.print(`instance ${index}: ${inputIds.length} tokens, ${maskedLmPositions.length} to predict${label}`);
      output.print(`  ${renderSample({ instance }, vocabulary)}`);
    }
  } finally {
    await close();
  }
}

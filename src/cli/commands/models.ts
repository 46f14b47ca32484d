/** `zhbert models`: the published models that we know, and the card of one of them. */
import {
  findModel,
  learningRatesOf,
  type MlmHeadFact,
  parameterCount,
  scoresOf,
  type ZooModel,
  zoo,
} from "../../model/zoo.ts";
import type { Score, SplitScores } from "../../model/zoo-scores.ts";
import { defineCommand, type Output } from "../command.ts";

export default defineCommand({
  name: "models",
  summary: "list the published Chinese BERTs, or print the card of one: sizes, training, scores, learning rates",
  arguments: [{ name: "name", description: "a model, or a word to look for", optional: true }],
  examples: ["zhbert models", "zhbert models wwm", "zhbert models hfl/rbt3"],
  async run({ args, output }) {
    const word: string | undefined = args["name"];
    const found = word === undefined ? zoo : modelsWith(word);
    if (output.isJson) for (const model of found) output.json(toJson(model));
    else if (word !== undefined && found.length === 1 && found[0] !== undefined) printCard(output, found[0]);
    else printList(output, found);
  },
});

/** The model of this name; or else those in whose facts the word occurs. @throws {ArgumentError} when there are none. */
function modelsWith(word: string): readonly ZooModel[] {
  try {
    return [findModel(word)];
  } catch (error) {
    const text = word.toLowerCase();
    const found = zoo.filter((model) => JSON.stringify(model).toLowerCase().includes(text));
    if (found.length === 0) throw error;
    return found;
  }
}

function toJson(model: ZooModel): object {
  return {
    ...model,
    parameters: parameterCount(model),
    learningRates: learningRatesOf(model),
    scores: scoresOf(model),
  };
}

const head = ["name", "layers", "hidden", "parameters", "vocabulary", "corpus", "MLM head", "licence", "source"];

function printList(output: Output, models: readonly ZooModel[]): void {
  const rows = models.map((model) => [
    model.hubName,
    model.layers,
    model.hiddenSize,
    millions(model),
    model.vocabSize,
    [model.corpus ?? "-", model.corpusTokens].filter(Boolean).join(", "),
    mlmHead(model.mlmHead),
    model.licence,
    model.repository.replace("github.com/", ""),
  ]);
  output.table(head, rows);
  output.print("\nzhbert models NAME prints a card; - stands for what nobody published.");
}

function printCard(output: Output, model: ZooModel): void {
  const { download, publishedParameters, note } = model;
  const { corpus = "-", corpusTokens, corpusDetail } = model;
  const sizes = `${model.layers} layers, hidden ${model.hiddenSize}, ${model.heads} heads, intermediate ${model.intermediateSize}`;
  const parameters = parameterCount(model).toLocaleString("en-US");
  const facts: readonly (readonly [string, string | undefined])[] = [
    ["model", `${model.name} (${model.hubName})`],
    ["also called", model.aliases.join(", ")],
    ["on ModelScope", model.modelScopeName],
    ["original download", download],
    ["size", `${sizes}, ${model.activation}`],
    ["parameters", `${parameters} without heads${publishedParameters ? `; published as ${publishedParameters}` : ""}`],
    ["vocabulary", model.vocabSize.toLocaleString("en-US")],
    ["corpus", [corpus, corpusTokens && `${corpusTokens} tokens`, corpusDetail].filter(Boolean).join("; ")],
    ["masking", model.masking],
    ["steps", model.steps],
    ["batch size", model.batchSize],
    ["optimiser", model.optimiser],
    ["device", model.device],
    ["initial weights", model.initialWeights],
    ["MLM head", mlmHead(model.mlmHead)],
    ["note", note],
    ["licence", model.licence],
    ["source", [model.repository, model.paper].filter(Boolean).join(", ")],
  ];
  const width = Math.max(...facts.map(([name]) => name.length)) + 2;
  for (const [name, value] of facts) output.print(`${name.padEnd(width)}${value ?? "-"}`);
  printLearningRates(output, model);
  printScores(output, model);
  printUse(output, model);
}

function printLearningRates(output: Output, model: ZooModel): void {
  const rates = learningRatesOf(model);
  if (rates === undefined) return;
  output.print("\nBest initial learning rates of fine-tuning:");
  output.table(
    ["task", "learning rate"],
    Object.entries(rates).map(([task, rate]) => [task, rate.toExponential()]),
  );
}

function printScores(output: Output, model: ZooModel): void {
  const scores = scoresOf(model);
  if (scores === undefined) return;
  output.print("\nPublished scores: maximum (mean) in %, exact match / F1 for reading comprehension:");
  const rows = Object.entries(scores).map(([task, { dev, test, challenge }]) => [
    task,
    ...[dev, test, challenge].map(formatSplit),
  ]);
  output.table(["task", "dev", "test", "challenge"], rows);
}

function formatSplit(split: SplitScores | undefined): string {
  const { em, f1, accuracy } = split ?? {};
  const shown = [em, f1, accuracy].filter((score) => score !== undefined).map(formatScore);
  return shown.length === 0 ? "-" : shown.join(" / ");
}

function formatScore([max, mean]: Score): string {
  const parts = [max?.toString(), mean === undefined ? undefined : `(${mean})`];
  return parts.filter((part) => part !== undefined).join(" ");
}

function printUse(output: Output, { hubName, mlmHead: fact }: ZooModel): void {
  output.print("\nUse:");
  output.print(`  zhbert download ${hubName}`);
  if (fact === "yes") output.print(`  zhbert fill-mask ${hubName} "今天天气很[MASK]。"`);
  else output.print(`  zhbert embed ${hubName} sentences.txt -o vectors.npy`);
  output.print(`  const model = await BertModel.fromPretrained("${hubName}");`);
}

function mlmHead(fact: MlmHeadFact): string {
  const words = { yes: "yes", correction: "for correction", no: "no" } as const;
  return fact === undefined ? "-" : words[fact];
}

function millions(model: ZooModel): string {
  return `${(parameterCount(model) / 1e6).toFixed(1)}M`;
}

/** `zhbert graph`: prints the graph of a model, and what one run of it costs. */
import { UsageError, verbatim } from "../../errors.ts";
import { type GraphCost, graphCost } from "../../graph/cost.ts";
import { buildGraph, type Graph, input, type Tensor } from "../../graph/graph.ts";
import { formatGraph, listGraph, summarizeByOperator } from "../../graph/listing.ts";
import { reshape } from "../../graph/ops/reshape.ts";
import type { BertConfig } from "../../model/config.ts";
import { modelContext } from "../../model/context.ts";
import { encoder } from "../../model/encoder.ts";
import { pretrainingGraph } from "../../model/pretraining.ts";
import { writeFileAtomic } from "../../node/files.ts";
import { resolveConfig } from "../../node/model-files.ts";
import { loadVocabulary } from "../../node/vocabulary-file.ts";
import { lowerGraph } from "../../onnx/lower.ts";
import { serializeModel } from "../../onnx/serialize.ts";
import { type CommandContext, defineCommand, type Output } from "../command.ts";
import { wholeNumber } from "../numbers.ts";

export default defineCommand({
  name: "graph",
  summary: "print a model's graph and what it costs: operations, bytes, parameters, memory",
  options: [
    {
      flags: "--config <name|path>",
      description: "a size, tiny, rbt3, base or large, over the package's vocabulary, or a config.json",
      default: "tiny",
    },
    {
      flags: "--kind <kind>",
      description: "the encoder, or pre-training with its losses (default: encoder; pretraining with --gradients)",
      choices: ["encoder", "pretraining"],
    },
    {
      flags: "--batch-size <n>",
      description: "sequences in a batch",
      default: 1,
      parse: wholeNumber("--batch-size", 1),
    },
    {
      flags: "--seq-length <n>",
      description: "tokens in a sequence",
      default: 128,
      parse: wholeNumber("--seq-length", 1),
    },
    {
      flags: "--max-predictions-per-seq <n>",
      description: "pre-training: masked tokens in a sequence",
      default: 20,
      parse: wholeNumber("--max-predictions-per-seq", 1),
    },
    { flags: "--gradients", description: "pre-training: with the gradient of every parameter" },
    { flags: "--dropout", description: "pre-training: with dropout at the config's rates" },
    { flags: "--recompute", description: "pre-training: compute layers again for their gradients" },
    { flags: "--summary", description: "costs by operator instead of the list of nodes" },
    {
      flags: "--onnx <file>",
      description: "also write the graph as an ONNX model of ONNX's own operators, weights as inputs",
    },
  ],
  examples: [
    "zhbert graph --config rbt3",
    "zhbert graph --config base --gradients --batch-size 32 --summary",
    "zhbert graph --config base --gradients --batch-size 32 --recompute --summary",
  ],
  async run({ options, output, signal }) {
    const vocabulary = await loadVocabulary();
    const config = await resolveConfig(options["config"], vocabulary.size);
    const graph = buildModel(config, options);
    const cost = graphCost(graph, { batch: options["batchSize"], seq: options["seqLength"] });
    if (options["onnx"] !== undefined) {
      const { model } = serializeModel(lowerGraph(graph, { contrib: false }));
      await writeFileAtomic(options["onnx"], model, signal);
      output.note(`wrote ${options["onnx"]}`);
    }
    if (options["summary"]) printSummary(output, cost);
    else printNodes(output, graph, cost);
    printTotals(output, graph, cost);
  },
});

/** The graph that the options ask for: the encoder with named axes, pre-training with numbers. */
function buildModel(config: BertConfig, options: CommandContext["options"]): Graph {
  const training = ["gradients", "dropout", "recompute"].find((name) => options[name]);
  const kind = options["kind"] ?? (training === undefined ? "encoder" : "pretraining");
  if (kind === "pretraining") {
    return pretrainingGraph(config, {
      batchSize: options["batchSize"],
      seqLength: options["seqLength"],
      maxPredictions: options["maxPredictionsPerSeq"],
      gradients: options["gradients"] ?? false,
      dropout: options["dropout"] ?? false,
      recompute: options["recompute"] ?? false,
      nextSentence: true,
    });
  }
  if (training !== undefined) {
    throw new UsageError({ where: `--${training}`, expected: "--kind pretraining", got: verbatim("--kind encoder") });
  }
  if (options["seqLength"] > config.maxPositionEmbeddings) {
    throw new UsageError({
      where: "--seq-length",
      expected: `at most the model's ${config.maxPositionEmbeddings} positions`,
      got: options["seqLength"],
    });
  }
  return encoderGraph(config);
}

/** The encoder alone, for any batch and length. */
function encoderGraph(config: BertConfig): Graph {
  const tokens = (name: string) => input(name, "int32", ["batch", "seq"]);
  const inputs = {
    inputIds: tokens("input_ids"),
    tokenTypeIds: tokens("token_type_ids"),
    attentionMask: tokens("attention_mask"),
  };
  const last = encoder(modelContext(), config, inputs).at(-1) as Tensor;
  return buildGraph({ last_hidden_state: reshape(last, ["batch", "seq", config.hiddenSize]) });
}

function printNodes(output: Output, graph: Graph, cost: GraphCost): void {
  for (const line of formatGraph(graph)) output.print(line);
  output.print();
  listGraph(graph).nodes.forEach(({ node, name, operator, inputs, attributes }, i) => {
    const { flops = 0, bytesRead = 0, bytesWritten = 0 } = cost.nodes[i] ?? {};
    const outputs = node.outputs.map(({ dtype, shape }) => ({ dtype, shape }));
    output.json({ name, operator, inputs, attributes, outputs, flops, bytesRead, bytesWritten });
  });
}

function printSummary(output: Output, cost: GraphCost): void {
  const operators = summarizeByOperator(cost);
  const { nodes, peakNode, ...totals } = cost;
  output.json({ nodes: nodes.length, ...totals, peakOperator: peakNode?.operator.name ?? null, operators });
  output.table(
    ["operator", "count", "GFLOP", "%", "MB read", "MB written"],
    operators.map(({ operator, count, flops, bytesRead, bytesWritten, share }) => [
      operator,
      count,
      rounded(flops / 1e9, 3),
      rounded(share * 100, 1),
      rounded(bytesRead / 1e6, 2),
      rounded(bytesWritten / 1e6, 2),
    ]),
  );
  output.print();
}

function printTotals(output: Output, graph: Graph, cost: GraphCost): void {
  const peak = cost.peakNode === undefined ? "" : `, in ${placeOf(graph, cost)}`;
  const lines = [
    ["nodes", grouped(cost.nodes.length)],
    ["parameters", `${grouped(cost.parameters)} (${megabytes(cost.parameterBytes)} MB)`],
    ["operations", `${(cost.flops / 1e9).toFixed(3)} GFLOP`],
    ["memory traffic", `${megabytes(cost.bytesRead)} MB read, ${megabytes(cost.bytesWritten)} MB written`],
    ["inputs and outputs", `${megabytes(cost.inputBytes)} MB and ${megabytes(cost.outputBytes)} MB`],
    ["peak of inner results", `${megabytes(cost.peakActivationBytes)} MB${peak}`],
  ] as const;
  for (const [label, value] of lines) output.print(`${label.padEnd(22)} ${value}`);
}

/** The node at which most memory is in use: `%316 mul`. */
function placeOf(graph: Graph, { peakNode }: GraphCost): string {
  const listed = listGraph(graph).nodes.find(({ node }) => node === peakNode);
  return `${listed?.name} ${listed?.operator}`;
}

function rounded(value: number, decimals: number): number {
  return Number(value.toFixed(decimals));
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0);
}

function grouped(value: number): string {
  return value.toLocaleString("en-US");
}

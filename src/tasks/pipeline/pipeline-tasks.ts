/** The calls of pipelines over fine-tuned models: what is given becomes examples, predictions become results. */
import { ArgumentError } from "../../errors.ts";
import type { ChoicePrediction } from "../choice.ts";
import type { TaggedExample } from "../examples.ts";
import { AGGREGATION_STRATEGIES, aggregateEntities } from "../ner/aggregation.ts";
import type { Tagging } from "../ner/ner-decode.ts";
import type { QuestionAnswer } from "../qa/qa-answer.ts";
import type { ScoredLabel } from "../sequence-task.ts";
import { dataOfTask } from "../tasks.ts";
import { attentionMaps } from "./attention.ts";
import { type AnyTaskModel, type ExplainOptions, explain } from "./explain.ts";
import type {
  AnswerSpan,
  CallOptions,
  ClassificationOptions,
  QuestionAnsweringOptions,
  TokenClassificationOptions,
} from "./pipeline-types.ts";
import { exampleOfInput } from "./predict-input.ts";

/** The results of one input, or of each of a list. */
async function results<T>(
  model: AnyTaskModel,
  input: unknown,
  options: CallOptions | undefined,
  // biome-ignore lint/suspicious/noExplicitAny: predictions are of the model's task
  resultOf: (prediction: any, example: unknown) => T,
): Promise<T | T[]> {
  const isList = Array.isArray(input);
  const kind = dataOfTask(model.task.settings.task);
  const examples = (isList ? (input as unknown[]) : [input]).map((one, i) =>
    exampleOfInput(kind, one, isList ? `input ${i + 1}` : "input"),
  );
  const { signal, batchTokens } = options ?? {};
  const given = { ...(signal === undefined ? {} : { signal }), ...(batchTokens === undefined ? {} : { batchTokens }) };
  const found: T[] = [];
  for await (const prediction of model.predict(examples, given)) {
    found.push(resultOf(prediction, examples[found.length]));
  }
  return isList ? found : (found[0] as T);
}

/** @throws {ArgumentError} when it is not a positive whole number. */
function expectTopK(topK: number): number {
  if (topK === Number.POSITIVE_INFINITY || (Number.isInteger(topK) && topK > 0)) return topK;
  throw new ArgumentError({ where: "topK", expected: "a positive whole number, or null for all", got: topK });
}

/** `text-classification`. */
export function classificationCall(model: AnyTaskModel) {
  const { task } = model;
  const usual = task.settings.task === "multilabel" ? Number.POSITIVE_INFINITY : 1;
  return async (input: unknown, options: ClassificationOptions = {}) => {
    const topK = expectTopK(options.topK === undefined ? usual : (options.topK ?? Number.POSITIVE_INFINITY));
    return results(model, input, options, (prediction, example): ScoredLabel[] => {
      const { labels, score } = task.result(example, prediction) as { labels?: ScoredLabel[]; score?: number };
      // A regression has one number, which Transformers calls the score of its only label.
      if (labels === undefined) return [{ label: task.settings.labels?.[0] ?? "LABEL_0", score: score ?? Number.NaN }];
      return [...labels].sort((a, b) => b.score - a.score).slice(0, topK);
    });
  };
}

/** What the pipelines of models with one score for an input have beside their calls. */
export function explanation(model: AnyTaskModel) {
  const { explain: all, attention } = explanations(model);
  const one = async (input: unknown, options?: ExplainOptions) => (await all(input, options))[0];
  return { explain: one, attention };
}

/** Of models with a score for each entity. */
export function explanations(model: AnyTaskModel) {
  const exampleOf = (input: unknown) => exampleOfInput(dataOfTask(model.task.settings.task), input, "input");
  return {
    explain: async (input: unknown, options?: ExplainOptions) => explain(model, exampleOf(input), options),
    attention: async (input: unknown) => attentionMaps(model, exampleOf(input)),
  };
}

/** `token-classification`. */
export function entityCall(model: AnyTaskModel) {
  const { scheme = "IOB2" } = model.task.settings as { scheme?: string };
  return async (input: unknown, options: TokenClassificationOptions = {}) => {
    const { aggregationStrategy: strategy = "simple" } = options;
    if (!AGGREGATION_STRATEGIES.includes(strategy)) {
      const expected = `one of ${AGGREGATION_STRATEGIES.join(", ")}`;
      throw new ArgumentError({ where: "aggregationStrategy", expected, got: strategy });
    }
    const { tokenizer } = model;
    return results(model, input, options, (prediction: Tagging, example) =>
      aggregateEntities((example as TaggedExample).text, prediction, strategy, { tokenizer, scheme }),
    );
  };
}

/** `question-answering`. */
export function answerCall(model: AnyTaskModel) {
  return async (input: unknown, second?: string | QuestionAnsweringOptions, third: QuestionAnsweringOptions = {}) => {
    const isPair = typeof second === "string";
    const given = isPair ? { question: input, context: second } : input;
    const options = isPair ? third : (second ?? {});
    const { topK } = options;
    const most = topK === undefined ? 1 : expectTopK(topK);
    return results(model, given, options, ({ nBest, ...best }: QuestionAnswer) =>
      topK === undefined ? spanOf(best) : nBest.slice(0, most).map(spanOf),
    );
  };
}

function spanOf({ answer, start, end, score }: AnswerSpan): AnswerSpan {
  return { answer, start, end, score };
}

/** `multiple-choice`. */
export function choiceCall(model: AnyTaskModel) {
  return (input: unknown, options?: CallOptions) =>
    results(model, input, options, (prediction, example) => {
      return (model.task.result(example, prediction) as unknown as ChoicePrediction).choices;
    });
}

/** `text-similarity` by a model that was fine-tuned for it. */
export function similarityCall(model: AnyTaskModel) {
  return (input: unknown, second?: string | CallOptions, third?: CallOptions) => {
    const isPair = typeof second === "string";
    const options = isPair ? third : second;
    return results(model, isPair ? { text: input, textPair: second } : input, options, (prediction, example) => {
      return { score: (model.task.result(example, prediction) as { score: number }).score };
    });
  };
}

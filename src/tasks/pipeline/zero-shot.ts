/** `zero-shot-classification`: labels that no model was trained for, by inference between a text and a sentence about each label. */
import { ArgumentError, ConfigError, verbatim } from "../../errors.ts";
import { given } from "../../util/given.ts";
import { softmaxOf } from "../../util/softmax.ts";
import { meanLogits } from "../sequence-task.ts";
import type { AnyTaskModel } from "./explain.ts";
import type { ZeroShotOptions, ZeroShotResult } from "./pipeline-types.ts";

/** Stands for the label in a template. */
const SLOT = "{}";
const DEFAULT_TEMPLATE = "这段文字是关于{}的。";

/** All texts with all labels are one stream of pairs, and run in full batches. */
export function zeroShotCall(model: AnyTaskModel) {
  return async (
    input: string | readonly string[],
    candidates: string | readonly string[],
    {
      hypothesisTemplate = DEFAULT_TEMPLATE,
      multiLabel = false,
      entailment,
      signal,
      batchTokens,
    }: ZeroShotOptions = {},
  ): Promise<ZeroShotResult | ZeroShotResult[]> => {
    const places = inferenceLabels(model, entailment);
    const labels = expectLabels(candidates);
    if (!hypothesisTemplate.includes(SLOT)) {
      const expected = `a sentence with ${SLOT} where the label stands`;
      throw new ArgumentError({ where: "hypothesisTemplate", expected, got: hypothesisTemplate });
    }
    const texts = typeof input === "string" ? [input] : input;
    const pairs = texts.flatMap((text) =>
      labels.map((label) => ({ text, textPair: hypothesisTemplate.replaceAll(SLOT, () => label) })),
    );
    const logits: Float32Array[] = [];
    for await (const one of model.decodeBy(meanLogits, pairs, given({ signal, batchTokens }))) logits.push(one);
    const results = texts.map((sequence, i) => {
      const own = logits.slice(i * labels.length, (i + 1) * labels.length);
      const scores = multiLabel ? own.map((one) => shareAgainst(one, places)) : shareAmong(own, places);
      const order = [...labels.keys()].sort((a, b) => (scores[b] as number) - (scores[a] as number));
      return {
        sequence,
        labels: order.map((at) => labels[at] as string),
        scores: order.map((at) => scores[at] as number),
      };
    });
    return typeof input === "string" ? (results[0] as ZeroShotResult) : results;
  };
}

/** The places of labels among the model's. */
interface InferenceLabels {
  readonly entailment: number;
  /** What speaks against a label where several may hold. */
  readonly against: readonly number[];
}

/** Of one label: how much more the text entails its sentence than those of the others. */
function shareAmong(logits: readonly Float32Array[], { entailment }: InferenceLabels): number[] {
  return softmaxOf(logits.map((one) => one[entailment] as number));
}

/** Of each label by itself: entailment against contradiction. */
function shareAgainst(logits: Float32Array, { entailment, against }: InferenceLabels): number {
  return softmaxOf([entailment, ...against].map((at) => logits[at] as number))[0] as number;
}

/** @throws {ConfigError} when the model has no label of entailment. @throws {ArgumentError} when the one that is named is none. */
function inferenceLabels({ task }: AnyTaskModel, named: string | undefined): InferenceLabels {
  const { labels = [] } = task.settings;
  const found = labels.findIndex((label) => (named === undefined ? ENTAILMENT.test(label) : label === named));
  if (found >= 0) {
    const contradiction = labels.findIndex((label) => CONTRADICTION.test(label));
    const others = [...labels.keys()].filter((at) => at !== found);
    return { entailment: found, against: contradiction >= 0 ? [contradiction] : others };
  }
  if (named !== undefined) {
    throw new ArgumentError({ where: "entailment", expected: `one of ${labels.join(", ")}`, got: named });
  }
  throw new ConfigError({
    where: "zero-shot-classification",
    expected: "a model of inference, with a label entailment",
    got: verbatim(`the labels ${labels.join(", ")}`),
    hint: "fine-tune one: zhbert finetune ocnli --model M --data ocnli/ -o out/; or say which of its labels it is: { entailment }",
  });
}

const ENTAILMENT = /^entail|蕴含|蕴涵/i;
const CONTRADICTION = /^contradict|矛盾/i;

/** @throws {ArgumentError} when there is none, or one twice. */
function expectLabels(candidates: string | readonly string[]): readonly string[] {
  const labels = typeof candidates === "string" ? candidates.split(/[,，]/).map((label) => label.trim()) : candidates;
  const isList = Array.isArray(labels) && labels.every((label) => typeof label === "string" && label !== "");
  if (isList && labels.length > 0 && new Set(labels).size === labels.length) return labels;
  throw new ArgumentError({ where: "candidate labels", expected: "different labels, at least one", got: candidates });
}

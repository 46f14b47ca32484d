/**
 * Tags for the units of a text (token classification): named entities, word segmentation, parts of speech. The first
 * piece of each unit carries its label; long texts run in windows, and each unit is decided where it stands deepest.
 */
import { DataError } from "../errors.ts";
import { type Dim, product } from "../graph/dims.ts";
import type { Tensor } from "../graph/graph.ts";
import { mul } from "../graph/ops/arithmetic.ts";
import { broadcastTo } from "../graph/ops/broadcast.ts";
import { full } from "../graph/ops/constant.ts";
import { equal, where } from "../graph/ops/logic.ts";
import { reshape } from "../graph/ops/reshape.ts";
import { pieceRows, rowOptions } from "../inference/token-rows.ts";
import { tokenClassificationHead } from "../model/heads.ts";
import type { BertTokenizer } from "../text/tokenizer.ts";
import { given } from "../util/given.ts";
import type { Random } from "../util/random.ts";
import type { Span, TaggedExample } from "./examples.ts";
import type { ExplainedTask } from "./explained/explained.ts";
import { explainedTags, type TaggedRows } from "./explained/explained-tags.ts";
import { classLoss, expectPlainLoss, IGNORED_LABEL, symmetricKl } from "./losses.ts";
import { crfLoss, crfParameters, initializeCrf, packCrf } from "./ner/crf.ts";
import { decidedIn, decodeTags, type Tagging } from "./ner/ner-decode.ts";
import { countSpans, evaluateTags, pairOf, type TaggedPair } from "./ner/ner-evaluation.ts";
import {
  type CompleteTaggingSettings,
  completeTagging,
  settleTagging,
  type TaggingSettings,
  taggingRules,
} from "./ner/ner-settings.ts";
import { convertTags, detectScheme } from "./ner/tag-schemes.ts";
import { characterUnits, unitsOfText } from "./ner/text-units.ts";
import { UnitTokenizer } from "./ner/unit-pieces.ts";
import { legalTransitions, type Transitions } from "./ner/viterbi.ts";
import { expectExamples, LabelIds } from "./sequence-task.ts";
import type { HeadInputs, LabelInput, LabelTensors, LossOptions, RowScores, Task, TaskDefinition } from "./task.ts";
import { checkSettings } from "./task-settings.ts";

/** Token classification. Source: Devlin et al. 2018, section 5.3; run_ner.py of Transformers. */
export const ner: TaskDefinition<TaggedExample, Tagging, TaggingSettings> = {
  name: "ner",
  reads: "ner",
  pipeline: "token-classification",
  architecture: "BertForTokenClassification",
  summary: "named entities, words or parts of speech: a tag for each character or word",
  settle: settleTagging,
  rules: taggingRules,
  create: (settings) => new TaggingTask(checkSettings(settings, taggingRules)),
};

const LABELS = "labels";
const CRF = "crf";

type Scores = Readonly<Record<string, Tensor>>;

class TaggingTask implements Task<TaggedExample, Tagging, TaggedRows> {
  readonly sequencesPerRow = 1;
  readonly labelInputs: Readonly<Record<string, LabelInput>> = {
    [LABELS]: { dtype: "int32", axis: "token", padding: IGNORED_LABEL },
  };
  readonly scoreAxes: Readonly<Record<string, "row" | "token">>;
  readonly primaryMetric: string;
  readonly settings: CompleteTaggingSettings;
  readonly explaining: ExplainedTask<TaggedExample, TaggedRows>;
  readonly #ids: LabelIds;
  readonly #legal: Transitions | undefined;
  #tokenizer: UnitTokenizer | undefined;

  constructor(settings: TaggingSettings) {
    this.settings = completeTagging(settings);
    const { labels, scheme, crf, constrained } = this.settings;
    this.#ids = new LabelIds(labels, 2);
    this.#legal = constrained ? legalTransitions(labels, scheme) : undefined;
    this.scoreAxes = { logits: "token", ...(crf ? { [CRF]: "row" as const } : {}) };
    this.explaining = explainedTags({
      labels,
      ...given({ crf: crf ? CRF : undefined, legal: this.#legal }),
      decode: (...parts) => this.decode(...parts),
    });
    this.primaryMetric = scheme === "plain" ? "accuracy" : "f1";
  }

  encode(example: TaggedExample, tokenizer: BertTokenizer): TaggedRows {
    const { maxSeqLength, windowOverlap } = this.settings;
    if (this.#tokenizer?.tokenizer !== tokenizer) this.#tokenizer = new UnitTokenizer(tokenizer);
    const units = this.#unitsOf(example);
    const tags = this.#tagsOf(example);
    const overlap = windowOverlap === undefined ? {} : { overlap: windowOverlap };
    const pieces = this.#tokenizer.pieces({ text: example.text, units });
    const encoded = pieceRows(tokenizer, pieces, rowOptions({ maxLength: maxSeqLength, ...overlap }, maxSeqLength));
    const ids = tags?.map((tag) => this.#ids.idOf(tag, example));
    const rows = encoded.rows.map((row, at) => {
      if (ids === undefined) return { sequences: [row] };
      const labels = new Int32Array(row.ids.length).fill(IGNORED_LABEL);
      for (const [unit, token] of decidedIn(encoded, at)) labels[token] = ids[unit] as number;
      return { sequences: [row], labels: { [LABELS]: labels } };
    });
    return { rows, encoded, units };
  }

  expectLabel(example: TaggedExample): void {
    for (const tag of this.#tagsOf(example) ?? []) this.#ids.idOf(tag, example);
  }

  /** Plain text comes cut into its characters; it is cut as the training data was. Units that were given stay. */
  #unitsOf({ text, units, tags }: TaggedExample): readonly Span[] {
    const kind = this.settings.units;
    if (tags !== undefined || kind === "characters") return units;
    return units.length === characterUnits(text).length ? unitsOfText(text, kind) : units;
  }

  /** The tags of an example in the scheme of the labels. @throws {DataError} when there are not as many as units. */
  #tagsOf(example: TaggedExample, dataScheme = this.settings.dataScheme): readonly string[] | undefined {
    const { tags, units } = example;
    if (tags === undefined) return undefined;
    if (tags.length !== units.length) {
      throw new DataError({
        where: `example ${example.id ?? JSON.stringify(example.text.slice(0, 20))}: tags`,
        expected: `${units.length}, one for each unit`,
        got: tags.length,
      });
    }
    const { scheme } = this.settings;
    if (scheme === "plain") return tags;
    if (dataScheme !== undefined) return convertTags(tags, dataScheme, scheme);
    const isForeign = tags.some((tag) => !this.settings.labels.includes(tag));
    return isForeign ? convertTags(tags, detectScheme([tags]), scheme) : tags;
  }

  head({ context, sequenceOutput, rows, seq, dropout }: HeadInputs): Record<string, Tensor> {
    const { length } = this.#ids.labels;
    const logits = tokenClassificationHead(context, dropout(sequenceOutput), length);
    const scores = { logits: reshape(logits, [rows, seq, length]) };
    if (!this.settings.crf) return scores;
    const packed = packCrf(crfParameters(context, length));
    return {
      ...scores,
      [CRF]: broadcastTo(reshape(packed, [1, (length + 2) * length]), [rows, (length + 2) * length]),
    };
  }

  loss(
    { logits }: Scores,
    { labels, rowWeights }: LabelTensors,
    options: LossOptions,
    { context }: HeadInputs,
  ): Tensor {
    const scores = logits as Tensor;
    const wanted = labels[LABELS] as Tensor;
    const [rows, seq, classes] = scores.shape as readonly [Dim, Dim, number];
    if (this.settings.crf) {
      expectPlainLoss(options, "ner with a CRF", "the likelihood of whole sequences");
      return crfLoss(scores, wanted, crfParameters(context, classes), rowWeights);
    }
    const count = product([rows, seq]);
    const weights = broadcastTo(reshape(rowWeights, [rows, 1]), [rows, seq]);
    return classLoss(reshape(scores, [count, classes]), reshape(wanted, [count]), options, reshape(weights, [count]));
  }

  /** Over the places that have labels. */
  divergence({ logits: first }: Scores, { logits: second }: Scores, { labels, rowWeights }: LabelTensors): Tensor {
    const wanted = labels[LABELS] as Tensor;
    const [rows] = wanted.shape as readonly [Dim];
    const ignored = equal(wanted, full(wanted.dtype, [], IGNORED_LABEL));
    const counted = where(ignored, full("float32", [], 0), full("float32", [], 1));
    return symmetricKl(first as Tensor, second as Tensor, mul(counted, reshape(rowWeights, [rows, 1])));
  }

  initialize(parameter: string, shape: readonly number[], random: Random): Float32Array | undefined {
    return initializeCrf(parameter, shape, random);
  }

  decode({ text }: TaggedExample, { encoded, units }: TaggedRows, scores: readonly RowScores[]): Tagging {
    const { labels, scheme } = this.settings;
    const found = { units: [] as number[], logits: [] as number[] };
    scores.forEach(({ logits }, row) => {
      for (const [unit, token] of decidedIn(encoded, row)) {
        found.units.push(unit);
        for (let i = 0; i < labels.length; i++) found.logits.push(logits?.[token * labels.length + i] as number);
      }
    });
    const crf = scores[0]?.[CRF];
    const legal = this.#legal;
    return decodeTags(text, units, found, { labels, scheme, ...(crf && { crf }), ...(legal && { legal }) });
  }

  result({ id, text }: TaggedExample, { entities }: Tagging) {
    const words = this.settings.scheme === "words" ? { words: entities.map((word) => word.text) } : {};
    return { ...(id === undefined ? {} : { id }), text, ...words, entities };
  }

  evaluate(examples: readonly TaggedExample[], predictions: readonly Tagging[]) {
    return evaluateTags(this.#pairsOf(examples, predictions), this.settings.scheme);
  }

  spanCounts(examples: readonly TaggedExample[], predictions: readonly Tagging[]) {
    return countSpans(this.#pairsOf(examples, predictions), this.settings.scheme);
  }

  #pairsOf(examples: readonly TaggedExample[], predictions: readonly Tagging[]): TaggedPair[] {
    expectExamples(examples, predictions);
    const { scheme } = this.settings;
    const data = detectScheme(examples.flatMap(({ tags }) => (tags === undefined ? [] : [tags])));
    const foreign = data === "IOB1" && scheme !== "plain" ? data : this.settings.dataScheme;
    return examples.map((example, i) => {
      return pairOf(example, this.#tagsOf(example, foreign), predictions[i] as Tagging);
    });
  }
}

/** Why a model gives a score: integrated gradients by character, of whatever number the task says that its prediction is. */
import { ArgumentError, verbatim } from "../../errors.ts";
import { type HostTensor, hostTensor } from "../../util/tensor.ts";
import type { ExampleSources, ExplainedScore, SourcePlace, SourceText } from "../explained/explained.ts";
import type { EncodedExample, TaskRow } from "../task.ts";
import { lengthOfRow, scoringBatch } from "../task-batch.ts";
import type { TaskModel } from "../task-model.ts";
import { attributionGraph, givenName } from "./explain-graph.ts";

// biome-ignore lint/suspicious/noExplicitAny: any task, with its own examples
export type AnyTaskModel = TaskModel<any, any>;

/** A token of a text and what it has to do with the score. */
export interface TokenAttribution extends SourcePlace {
  /** As it stands in the text: a Chinese character, or a piece of a word. */
  readonly text: string;
  /** What the token adds to the score, or with a minus takes from it. */
  readonly attribution: number;
}

/** What a score comes from. */
export interface Explanation {
  /** The label, the type of an entity, the choice; undefined where the score is a number: of regression, cosines, answers. */
  readonly label?: string;
  /** The entity, answer or choice that has the score, where it stands in a text. */
  readonly span?: SourcePlace & { readonly text: string };
  /** The probability, or the number; of an answer the sum of the logits of its start and its end. */
  readonly score: number;
  /** The same of texts whose tokens are all the baseline's. */
  readonly baselineScore: number;
  /** The texts that the score was made from. */
  readonly texts: readonly SourceText[];
  /** By text, each from its beginning; of texts in windows those that were read for the score. */
  readonly tokens: readonly TokenAttribution[];
  /** By how much the sum of the attributions misses `score - baselineScore`: more steps make it smaller. */
  readonly completenessError: number;
  readonly steps: number;
  readonly baseline: "mask" | "pad";
}

/** How a score is explained. */
export interface ExplainOptions {
  /** The label, the type of the entities, or the choice; what was predicted when left out. */
  readonly label?: string;
  /** Points at which gradients are taken, at least 2; 32. */
  readonly steps?: number;
  /** What every token is replaced by in the text that says nothing: [MASK] or [PAD]; mask. */
  readonly baseline?: "mask" | "pad";
  readonly signal?: AbortSignal;
}

const DEFAULT_STEPS = 32;
/** Points of one run of the engine, at most, and tokens of all points: memory grows with them. */
const RUN = { points: 8, tokens: 1024 } as const;
/** Tokens that are read at once for one score; about 7 GB in a model of BERT's base size. */
const MAX_TOKENS = 4096;
/** Lengths of the compiled graphs are multiples of it: texts of about one length share a graph. */
const LENGTH_UNIT = 32;

/**
 * Explains the scores of an example by integrated gradients over the embeddings: one explanation, or of tagging one for each
 * entity.
 * @param example - as the model's task takes it.
 * @throws {ArgumentError} when the example has no score, an option is out of range, or the score is made of too many tokens.
 * @throws {DataError} when the example does not fit the task.
 * Source: Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks"; the integral by the midpoint rule.
 */
export async function explain(
  model: AnyTaskModel,
  example: object,
  { label, steps = DEFAULT_STEPS, baseline = "mask", signal }: ExplainOptions = {},
): Promise<readonly Explanation[]> {
  if (!Number.isInteger(steps) || steps < 2) {
    throw new ArgumentError({ where: "explain: steps", expected: "a whole number from 2 on", got: steps });
  }
  const { explaining } = model.task;
  const encoded = model.task.encode(example, model.tokenizer);
  const scores = explaining.explained(example, encoded, await model.scores(encoded.rows), label);
  const sources = explaining.sources(example, encoded, model.tokenizer);
  const explanations: Explanation[] = [];
  for (const each of scores) {
    const { ends, sums } = await integrate(model, encoded, each, { steps, baseline, ...(signal && { signal }) });
    const [baselineScore = 0, score = 0] = ends;
    const { span } = each;
    explanations.push({
      ...(each.label === undefined ? {} : { label: each.label }),
      ...(span === undefined ? {} : { span: { ...span, text: textAt(sources, span) } }),
      score,
      baselineScore,
      texts: sources.texts,
      tokens: placed(sources, each.rows, model.task.sequencesPerRow, sums),
      completenessError: Math.abs(sums.flat().reduce((sum, value) => sum + value, 0) - (score - baselineScore)),
      steps,
      baseline,
    });
  }
  return explanations;
}

interface Way {
  readonly steps: number;
  readonly baseline: "mask" | "pad";
  readonly signal?: AbortSignal;
}

/** The scores of baseline and example, and by sequence each token's part of the way between. */
async function integrate(
  model: AnyTaskModel,
  { rows }: EncodedExample,
  { rows: wanted, values }: ExplainedScore,
  { steps, baseline, signal }: Way,
): Promise<{ readonly ends: readonly number[]; readonly sums: number[][] }> {
  const { task, config } = model;
  const own = wanted.map((row) => rows[row] as TaskRow);
  const sequences = own.flatMap((row) => row.sequences);
  const longest = Math.max(...own.map(lengthOfRow));
  const seqLength = Math.min(Math.ceil(longest / LENGTH_UNIT) * LENGTH_UNIT, config.maxPositionEmbeddings);
  const size = sequences.length * seqLength;
  if (size > MAX_TOKENS) throw tooManyTokens(size, sequences.length);
  // The graph is compiled for these sizes.
  const points = Math.max(1, Math.min(RUN.points, Math.floor(RUN.tokens / size)));
  const shape = { points, rows: wanted.length, seqLength };
  const program = await model.program(`attribution ${Object.values(shape).join(" ")}`, () =>
    attributionGraph(task, config, shape),
  );
  const batch = scoringBatch(own, seqLength).inputs;
  const given = Object.entries(values(seqLength)).map(([name, data]) => {
    return [givenName(name), hostTensor("float32", [1, data.length], data)] as const;
  });
  const inputs = {
    ...batch,
    baseline_ids: baselineIds(model, batch["input_ids"] as HostTensor, baseline),
    ...Object.fromEntries(given),
  };
  // The ends of the way are measured, and the middles of its parts summed up.
  const shares = [0, 1, ...Array.from({ length: steps }, (_, i) => (i + 0.5) / steps)];
  const ends: number[] = [];
  const sums = sequences.map(({ ids }) => new Array<number>(ids.length).fill(0));
  for (let first = 0; first < shares.length; first += points) {
    signal?.throwIfAborted();
    const data = Float32Array.from({ length: points }, (_, i) => shares[first + i] ?? 0);
    const outputs = await program.run({ ...inputs, shares: hostTensor("float32", [points, 1, 1], data) });
    const parts = outputs["attributions"]?.data as Float32Array;
    for (let point = 0; point < points && first + point < shares.length; point++) {
      if (first + point < 2) {
        ends.push(Number(outputs["scores"]?.data[point]));
        continue;
      }
      sums.forEach((sum, sequence) => {
        const from = point * size + sequence * seqLength;
        for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] as number) + (parts[from + at] as number) / steps;
      });
    }
  }
  return { ends, sums };
}

function tooManyTokens(tokens: number, sequences: number): ArgumentError {
  return new ArgumentError({
    where: "explain",
    expected: `a score of at most ${MAX_TOKENS} tokens that are read at once`,
    got: verbatim(`${tokens} in ${sequences} sequences`),
    hint: "all windows of a text, or all choices of a question, make one score: shorten them, or leave longTexts (--windows) out",
  });
}

/** What says nothing: every token of a text is the baseline's; [CLS], [SEP] and padding stay. */
function baselineIds({ tokenizer }: AnyTaskModel, { shape, data }: HostTensor, baseline: "mask" | "pad"): HostTensor {
  const { cls, sep, mask, pad } = tokenizer.vocabulary.ids;
  const kept = new Set([cls, sep, pad]);
  const blank = baseline === "mask" ? mask : pad;
  return hostTensor(
    "int32",
    shape,
    (data as Int32Array).map((id) => (kept.has(id) ? id : blank)),
  );
}

function textAt({ texts }: ExampleSources, { source, start, end }: SourcePlace): string {
  return (texts[source] as SourceText).text.slice(start, end);
}

/**
 * The tokens of the texts, each with the sum of what it adds wherever it was read: windows overlap, and all choices are read with
 * their context.
 * @param sums - by sequence of the rows.
 */
function placed(
  sources: ExampleSources,
  rows: readonly number[],
  sequencesPerRow: number,
  sums: readonly (readonly number[])[],
): TokenAttribution[] {
  const tokens = new Map<string, TokenAttribution>();
  sums.forEach((sum, at) => {
    const row = rows[Math.floor(at / sequencesPerRow)] as number;
    sources.places[row * sequencesPerRow + (at % sequencesPerRow)]?.forEach((place, token) => {
      if (place === undefined) return;
      const key = `${place.source} ${place.start} ${place.end}`;
      const attribution = (tokens.get(key)?.attribution ?? 0) + (sum[token] as number);
      tokens.set(key, { text: textAt(sources, place), ...place, attribution });
    });
  });
  return [...tokens.values()].sort((a, b) => a.source - b.source || a.start - b.start);
}

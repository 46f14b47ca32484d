/** Pre-training examples against those of Google's real program, and of the Chinese recipe on top of it. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { type Document, readDocuments } from "../src/data/corpus.ts";
import { createPretrainingInstances } from "../src/data/create-instances.ts";
import type { PretrainingInstance } from "../src/data/instance.ts";
import { type Segmenter, segmentByCutting } from "../src/text/segmenter.ts";
import noSegmenter from "../src/text/segmenters/none.ts";
import { BertTokenizer } from "../src/text/tokenizer.ts";
import { describeShared, shared } from "./shared.ts";

interface Case {
  readonly case: string;
  readonly args: {
    readonly inputs: string[];
    readonly max_seq_length: number;
    readonly dupe_factor: number;
    readonly do_whole_word_mask: boolean;
    readonly short_seq_prob: number;
    readonly masked_lm_prob: number;
    readonly max_predictions_per_seq: number;
    readonly random_seed: number;
    readonly do_lower_case: boolean;
  };
}

interface Row {
  readonly tokens: string[];
  readonly input_ids: number[];
  readonly segment_ids: number[];
  readonly masked_lm_positions: number[];
  readonly masked_lm_ids: number[];
  readonly next_sentence_label: number;
  readonly marked?: number[];
}

const jsonLines = <T>(text: string): T[] =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as T);

function goldenRows(path: string): Row[] {
  return jsonLines(gunzipSync(readFileSync(path)).toString("utf8"));
}

function tokenizer(lowercase: boolean): BertTokenizer {
  const text = readFileSync(shared("assets/vocab.txt") as string, "utf8");
  return BertTokenizer.fromVocabText(text, { rules: "google", lowercase });
}

async function* documents(folder: string, inputs: readonly string[]): AsyncGenerator<Document> {
  async function* lines() {
    // A final newline ends a line; it is no blank line, and files are not parted by one.
    for (const name of inputs) yield readFileSync(`${folder}/inputs/${name}`, "utf8").replace(/\n$/, "").split("\n");
  }
  yield* readDocuments(lines(), { where: "inputs" });
}

async function create(folder: string, { args }: Case, segmenter: Segmenter): Promise<PretrainingInstance[]> {
  const instances = createPretrainingInstances(documents(folder, args.inputs), {
    tokenizer: tokenizer(args.do_lower_case),
    segmenter,
    maxSeqLength: args.max_seq_length,
    dupeFactor: args.dupe_factor,
    shortSeqProb: args.short_seq_prob,
    maskedLmProb: args.masked_lm_prob,
    maxPredictionsPerSeq: args.max_predictions_per_seq,
    randomSeed: args.random_seed,
    masking: args.do_whole_word_mask ? "whole-word" : "char",
    googleCompatible: true,
  });
  const created: PretrainingInstance[] = [];
  for await (const instance of instances) created.push(instance);
  return created;
}

function expectEqual(actual: readonly PretrainingInstance[], expected: readonly Row[]): void {
  expect(actual).toHaveLength(expected.length);
  for (const [i, instance] of actual.entries()) {
    const row = expected[i] as Row;
    expect([...instance.inputIds], `instance ${i}`).toEqual(row.input_ids);
    expect([...instance.tokenTypeIds]).toEqual(row.segment_ids);
    expect([...instance.maskedLmPositions]).toEqual(row.masked_lm_positions);
    expect([...instance.maskedLmIds]).toEqual(row.masked_lm_ids);
    expect(instance.nextSentenceLabel).toBe(row.next_sentence_label);
  }
}

describeShared("reference/data/cases.jsonl", "examples of Google's program", (path) => {
  const folder = path.replace(/\/[^/]+$/, "");
  test.each(jsonLines<Case>(readFileSync(path, "utf8")))("$case", async (golden) => {
    expectEqual(await create(folder, golden, noSegmenter()), goldenRows(`${folder}/instances/${golden.case}.jsonl.gz`));
  });
});

interface Sentence {
  readonly text: string;
  readonly words: string[];
  readonly aligned: boolean;
}

describeShared("reference/data/wwm_cases.jsonl", "Chinese whole word masking on Google's program", (path) => {
  const folder = path.replace(/\/[^/]+$/, "");
  const sentences = jsonLines<Sentence>(readFileSync(`${folder}/wwm_sentences.jsonl`, "utf8"));
  const wordsOf = new Map(sentences.map(({ text, words }) => [text, words]));
  const cut = (text: string) =>
    text.split("\n").flatMap((line, i) => [...(i > 0 ? ["\n"] : []), ...(wordsOf.get(line.trim()) ?? [])]);
  const segmenter: Segmenter = { name: "golden", segment: (text) => segmentByCutting(text, cut) };

  test("the sentences that do not align are counted", () => {
    const unaligned = sentences.filter(({ text }) => segmenter.segment(text).unalignedLines > 0);
    expect(unaligned).toEqual(sentences.filter(({ aligned }) => !aligned));
  });

  test.each(jsonLines<Case>(readFileSync(path, "utf8")))("$case", async (golden) => {
    const rows = goldenRows(`${folder}/wwm/${golden.case}.jsonl.gz`);
    const instances = await create(folder, golden, segmenter);
    expectEqual(instances, rows);
    const { vocabulary } = tokenizer(true);
    instances.forEach((instance, i) => {
      // Where words continue: the marks of the recipe and WordPiece's own, but never at the start of a segment.
      const starts = [...instance.wordStarts].flatMap((start, position) => (start === 0 ? [position] : []));
      const { marked = [], tokens } = rows[i] as Row;
      const firstOfB = tokens.indexOf("[SEP]") + 1;
      const chinese = starts.filter((position) => !tokenBefore(instance, position, vocabulary).startsWith("##"));
      expect(chinese).toEqual(marked.filter((position) => position !== firstOfB && position !== 1));
    });
  });
});

function tokenBefore(instance: PretrainingInstance, position: number, vocabulary: BertTokenizer["vocabulary"]): string {
  const masked = instance.maskedLmPositions.indexOf(position);
  return vocabulary.token((masked === -1 ? instance.inputIds[position] : instance.maskedLmIds[masked]) as number);
}

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { describeShared, shared } from "../../test/shared.ts";
import { Vocabulary } from "../text/vocabulary.ts";
import { PythonRandom } from "../util/python-random.ts";
import { createMaskedLmPredictions, googleVocabulary, truncateSeqPair } from "./google-compatible.ts";

const vocabulary = Vocabulary.fromTokens([
  ..."[PAD] [UNK] [CLS] [SEP] [MASK] 天 ##天 地 ing ##ing".split(" "),
  "\u2028",
  "##\u2028",
]);

describe("googleVocabulary", () => {
  test("every entry can be a random replacement, in the order of the file", () => {
    expect([...googleVocabulary(vocabulary, false).randomIds]).toEqual([...vocabulary.tokens.keys()]);
  });
  test("with marks, ## and a Chinese character is the character; Latin keeps its mark", () => {
    const { randomIds } = googleVocabulary(vocabulary, true);
    expect(randomIds[6]).toBe(vocabulary.id("天"));
    expect(randomIds[9]).toBe(vocabulary.id("##ing"));
  });
  test("of entries that are equal when stripped the last one counts, at the first one's place", () => {
    const twice = Vocabulary.fromTokens([..."[PAD] [UNK] [CLS] [SEP] [MASK]".split(" "), "\u2028", "地", "\u3000"]);
    expect([...googleVocabulary(twice, false).randomIds]).toEqual([0, 1, 2, 3, 4, 7, 6]);
  });
});

test("a token that continues a word is glued to the last word before [SEP], as in Google's program", () => {
  const ids = Int32Array.of(2, 5, 3, 7, 3);
  const options = { doWholeWordMask: true, maskedLmProb: 0.2, maxPredictionsPerSeq: 20 };
  const { positions } = createMaskedLmPredictions(
    ids,
    Uint8Array.of(1, 1, 1, 0, 1),
    options,
    googleVocabulary(vocabulary, true),
    new PythonRandom(1),
  );
  // One group of two tokens, a budget of one: it is skipped.
  expect([...positions]).toEqual([]);
});

interface Unit {
  readonly function: string;
  readonly tokens: string[];
  readonly masked_lm_prob: number;
  readonly max_predictions_per_seq: number;
  readonly whole_word: boolean;
  readonly seed: number;
  readonly output: string[];
  readonly positions: number[];
  readonly labels: string[];
  readonly a: number;
  readonly b: number;
  readonly max_num_tokens: number;
  readonly kept_a: number[];
  readonly kept_b: number[];
  readonly next_random: number;
}

describeShared("reference/data/units.jsonl", "Google's functions, call by call", (path) => {
  const units = readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Unit);
  const text = readFileSync(shared("assets/vocab.txt") as string, "utf8");
  const published = Vocabulary.fromText(text);
  const google = googleVocabulary(published, false);

  test("create_masked_lm_predictions", () => {
    const calls = units.filter((unit) => unit.function === "create_masked_lm_predictions");
    expect(calls).toHaveLength(160);
    for (const unit of calls) {
      const ids = Int32Array.from(unit.tokens, (token) => published.id(token) as number);
      const wordStarts = Uint8Array.from(unit.tokens, (token) => (token.startsWith("##") ? 0 : 1));
      const options = {
        doWholeWordMask: unit.whole_word,
        maskedLmProb: unit.masked_lm_prob,
        maxPredictionsPerSeq: unit.max_predictions_per_seq,
      };
      const masks = createMaskedLmPredictions(ids, wordStarts, options, google, new PythonRandom(unit.seed));
      expect([...masks.positions]).toEqual(unit.positions);
      expect([...masks.labels].map((id) => published.token(id))).toEqual(unit.labels);
      expect([...masks.output].map((id) => published.token(id))).toEqual(unit.output);
    }
  });

  test("truncate_seq_pair", () => {
    const calls = units.filter((unit) => unit.function === "truncate_seq_pair");
    expect(calls).toHaveLength(80);
    for (const unit of calls) {
      const random = new PythonRandom(unit.seed);
      const [fromA, toA, fromB, toB] = truncateSeqPair([0, unit.a], [0, unit.b], unit.max_num_tokens, random);
      const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
      expect(range(fromA, toA)).toEqual(unit.kept_a);
      expect(range(fromB, toB)).toEqual(unit.kept_b);
      expect(random.random()).toBe(unit.next_random);
    }
  });
});

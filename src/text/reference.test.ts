/** The tokeniser against what the reference programs give, on every line of the goldens. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { describeShared, shared } from "../../test/shared.ts";
import { ArgumentError } from "../errors.ts";
import { BertTokenizer } from "./tokenizer.ts";
import type { TokenizerOptions } from "./tokenizer-options.ts";
import { type TruncationStrategy, truncatedLengths } from "./truncation.ts";

// biome-ignore lint/suspicious/noExplicitAny: records of several shapes
function readRecords(path: string): any[] {
  const bytes = readFileSync(path);
  const text = new TextDecoder().decode(path.endsWith(".gz") ? gunzipSync(bytes) : bytes);
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

function publishedTokenizer(options: TokenizerOptions): BertTokenizer {
  return BertTokenizer.fromVocabText(readFileSync(shared("assets/vocab.txt") as string, "utf8"), options);
}

const interleave = (starts: Int32Array, ends: Int32Array) =>
  Array.from(starts).flatMap((start, i) => [start, ends[i] as number]);

describeShared("reference/text/tokens.jsonl.gz", "tokens, ids and offsets of 3,000 lines", (path) => {
  const records = readRecords(path);
  test.each(["uncased", "cased"])("%s", (side) => {
    const lowercase = side === "uncased";
    const huggingface = publishedTokenizer({ lowercase });
    const google = publishedTokenizer({ lowercase, rules: "google" });
    for (const record of records) {
      const expected = record[side];
      const pieces = huggingface.encodePieces(record.text);
      const actual = {
        id: record.id,
        ids: Array.from(pieces.ids),
        tokens: huggingface.convertIdsToTokens(pieces.ids),
        offsets: interleave(pieces.starts, pieces.ends),
        google: google.tokenize(record.text),
      };
      expect(actual).toEqual({
        id: record.id,
        ids: expected.ids,
        tokens: expected.tokens,
        offsets: expected.offsets16 ?? expected.offsets,
        google: expected.google ?? expected.tokens,
      });
    }
  });

  test("bytes of all lines give the ids of each line", () => {
    for (const rules of ["huggingface", "google"] as const) {
      const tokenizer = publishedTokenizer({ rules });
      const lines = records.map((record) => (record.text as string).replaceAll("\n", " "));
      const { ids, lineEnds } = tokenizer.encodeBytes(new TextEncoder().encode(lines.join("\n")));
      expect(lineEnds.length).toBe(lines.length);
      lines.forEach((line, i) => {
        const actual = ids.subarray(lineEnds[i - 1] ?? 0, lineEnds[i]);
        expect([line, ...actual]).toEqual([line, ...tokenizer.encodePieces(line).ids]);
      });
    }
  });
});

describeShared("reference/text/surrogates.jsonl", "unpaired surrogates under Google's rules", (path) => {
  test("tokens", () => {
    const tokenizer = publishedTokenizer({ rules: "google" });
    for (const { text, google_uncased } of readRecords(path)) expect(tokenizer.tokenize(text)).toEqual(google_uncased);
  });
});

describeShared("reference/text/pairs.jsonl.gz", "pairs, truncation, windows and padding", (path) => {
  const records = readRecords(path);
  const tokenizers = { uncased: publishedTokenizer({}), cased: publishedTokenizer({ lowercase: false }) };
  const encodeRecord = ({ a, b, options }: (typeof records)[number]) =>
    tokenizers[options.case as "cased"].encode(a, {
      ...(b === null ? {} : { pair: b }),
      maxLength: options.max_length,
      truncation: options.truncation === "do_not_truncate" ? false : options.truncation,
      padding: options.padding === "max_length" ? "max_length" : false,
      paddingSide: options.padding_side,
      truncationSide: options.truncation_side,
      ...(options.overflow ? { stride: options.stride } : {}),
    });

  test("encodings", () => {
    for (const record of records.filter((r) => !r.error && !r.longer_than_max_length)) {
      const encoding = encodeRecord(record);
      const rows = [encoding, ...encoding.overflowing].map((row) => ({
        ids: [...row.ids],
        type_ids: [...row.typeIds],
        attention: [...row.attentionMask],
        special: [...row.specialTokensMask],
        sequence: Array.from(row.sequenceIds, (id) => (id < 0 ? null : id)) as (number | null)[],
        offsets: [...row.offsets],
      }));
      const expected = record.encodings.map(
        ({ offsets16, ...row }: { offsets16: number[] | null; offsets: number[] }) => ({
          ...row,
          offsets: offsets16 ?? row.offsets,
        }),
      );
      expect([record.id, rows]).toEqual([record.id, expected]);
    }
  });

  test("what the reference refuses, or returns uncut, is an error", () => {
    const refused = records.filter((r) => r.error || r.longer_than_max_length);
    expect(refused.length).toBeGreaterThan(100);
    for (const record of refused) expect(() => encodeRecord(record), record.id).toThrow(ArgumentError);
  });
});

describeShared("reference/text/truncate_pair.jsonl", "lengths kept of a pair", (path) => {
  test("by both strategies", () => {
    const kept = (r: { a: number; b: number; max: number }, strategy: TruncationStrategy) =>
      truncatedLengths([r.a, r.b], r.max, strategy);
    for (const record of readRecords(path)) {
      expect([record, ...kept(record, "google")]).toEqual([record, record.kept_a, record.kept_b]);
      expect([record, ...kept(record, "longest_first")]).toEqual([record, record.hf_kept_a, record.hf_kept_b]);
    }
  });
});

describeShared("reference/bert-small-zh/tokenization.json", "texts of the small reference model", (path) => {
  test("tokens, ids, types and offsets", () => {
    const tokenizer = publishedTokenizer({});
    const cased = BertTokenizer.fromTokenizerJson(
      JSON.parse(readFileSync(shared("assets/tokenizer.json") as string, "utf8")),
    );
    for (const record of JSON.parse(readFileSync(path, "utf8"))) {
      const pair = record.pair === null ? {} : { pair: record.pair };
      const encoding = tokenizer.encode(record.text, pair);
      expect(encoding.tokens).toEqual(record.tokens);
      expect([...encoding.ids]).toEqual(record.input_ids);
      expect([...encoding.typeIds]).toEqual(record.token_type_ids);
      expect([...encoding.offsets]).toEqual(record.offsets_utf16.flat());
      expect(cased.encode(record.text, pair).tokens).toEqual(record.do_lower_case_false.tokens);
    }
  });
});

/** What `zhbert data convert` writes, read by the programs that it is written for: test/python/real_data.py. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PretrainingInstance } from "../src/data/instance.ts";
import { openDataset } from "../src/node/dataset.ts";
import { loadVocabulary } from "../src/node/vocabulary-file.ts";
import type { Vocabulary } from "../src/text/vocabulary.ts";
import { describeLibrary, PYTHON_TIMEOUT_MS, runPython } from "./real-python.ts";
import { runCommand } from "./run-command.ts";

/** Words with spaces between; each inner list is a document. */
const documents = Array.from({ length: 12 }, (_, i) => [
  `小船 沿 着 河岸 慢慢 漂 走 ， 第 ${i + 1} 天 到 了 湖边 。`,
  "湖面 上 没有 风 ， 远处 的 山 很 清楚 。",
  ...(i % 3 === 0 ? ["孩子们 在 岸上 放 风筝 。"] : []),
]);
const LENGTH = 40;
const PREDICTIONS = 7;

let folder: string;
let vocabulary: Vocabulary;
let instances: PretrainingInstance[];
const at = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "zhbert-readers-"));
  const text = documents.map((lines) => lines.join("\n")).join("\n\n");
  const characters = [...new Set(text.replaceAll(/[\s\d]/g, "")), ...Array.from({ length: 13 }, (_, i) => `${i}`)];
  const tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...characters, ...characters.map((one) => `##${one}`)];
  writeFileSync(at("vocab.txt"), `${tokens.join("\n")}\n`);
  writeFileSync(at("corpus.txt"), `${text}\n`);
  vocabulary = await loadVocabulary(at("vocab.txt"));
  const sizes = ["--max-seq-length", `${LENGTH}`, "--max-predictions-per-seq", `${PREDICTIONS}`, "--dupe-factor", "2"];
  const words = ["--segmenter", "spaces", "--vocab", at("vocab.txt"), "--no-split-sentences", "--workers", "1"];
  await runCommand(["data", at("corpus.txt"), "-o", at("shards"), ...sizes, ...words]);
  const { train, close } = await openDataset(at("shards"));
  instances = await Promise.all(Array.from({ length: train.count }, (_, i) => train.instance(i)));
  await close();
  expect(instances.length).toBeGreaterThan(10);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const convert = (...args: readonly string[]) =>
  runCommand(["data", "convert", ...args, "--vocab", at("vocab.txt"), "--segmenter", "spaces"]);
const padded = (values: ArrayLike<number>, length: number) => Array.from({ length }, (_, i) => values[i] ?? 0);

describeLibrary(["tensorflow-cpu"], "tf.data reads TFRecords", (python) => {
  test(
    "every feature of every record, in turn from two files",
    async () => {
      const files = [at("a.tfrecord"), at("b.tfrecord")];
      await convert(at("shards"), "-o", files.join(), "--to", "tfrecord");
      const rows = runPython(python, "real_data.py", ["tfrecord", `${LENGTH}`, `${PREDICTIONS}`, ...files]);
      const inTurn = [0, 1].flatMap((file) => instances.filter((_, i) => i % 2 === file));
      expect(rows).toEqual(
        inTurn.map((instance) => ({
          input_ids: padded(instance.inputIds, LENGTH),
          input_mask: padded(new Uint8Array(instance.inputIds.length).fill(1), LENGTH),
          segment_ids: padded(instance.tokenTypeIds, LENGTH),
          masked_lm_positions: padded(instance.maskedLmPositions, PREDICTIONS),
          masked_lm_ids: padded(instance.maskedLmIds, PREDICTIONS),
          masked_lm_weights: padded(new Uint8Array(instance.maskedLmIds.length).fill(1), PREDICTIONS),
          next_sentence_labels: [instance.nextSentenceLabel],
        })),
      );
    },
    PYTHON_TIMEOUT_MS,
  );
});

describeLibrary(["pyarrow"], "pyarrow reads Parquet", (python) => {
  test(
    "every column of every row",
    async () => {
      await convert(at("shards"), "-o", at("a.parquet"), "--to", "parquet");
      const labels = ({ inputIds, maskedLmPositions, maskedLmIds }: PretrainingInstance) => {
        const list = new Array<number>(inputIds.length).fill(-100);
        maskedLmPositions.forEach((position, i) => {
          list[position] = maskedLmIds[i] as number;
        });
        return list;
      };
      expect(runPython(python, "real_data.py", ["parquet", at("a.parquet")])).toEqual(
        instances.map((instance) => ({
          input_ids: [...instance.inputIds],
          token_type_ids: [...instance.tokenTypeIds],
          attention_mask: Array.from(instance.inputIds, () => 1),
          labels: labels(instance),
          word_starts: [...instance.wordStarts],
          next_sentence_label: instance.nextSentenceLabel,
        })),
      );
    },
    PYTHON_TIMEOUT_MS,
  );
});

/** Ids of a line's tokens; the vocabulary has no pieces but single characters and numbers. */
function idsOf(line: string, continues: (token: string) => string): number[] {
  return line.split(" ").flatMap((word) => {
    const tokens = /^\d+$/.test(word) ? [word] : [...word];
    return tokens.map((token, i) => vocabulary.id(i === 0 ? token : continues(token)) as number);
  });
}

describeLibrary(["numpy"], "NumPy reads ids of documents", (python) => {
  test(
    "as PaddleNLP does: a character that continues a word is marked",
    async () => {
      await convert(at("corpus.txt"), "-o", at("ids"), "--to", "paddlenlp");
      const expected = documents.map((lines) => lines.map((line) => idsOf(line, (token) => `##${token}`)));
      expect(runPython(python, "real_data.py", ["paddlenlp", at("ids")])).toEqual(expected);
    },
    PYTHON_TIMEOUT_MS,
  );

  test(
    "as Megatron-LM does",
    async () => {
      await convert(at("corpus.txt"), "-o", at("m"), "--to", "megatron");
      const expected = documents.map((lines) => lines.map((line) => idsOf(line, (token) => token)));
      expect(runPython(python, "real_data.py", ["megatron", at("m")])).toEqual(expected);
    },
    PYTHON_TIMEOUT_MS,
  );
});

describeLibrary([], "Python's json reads the reference file", (python) => {
  test(
    "a list for each line, the places of tokens that continue a word",
    async () => {
      await convert(at("corpus.txt"), "-o", at("hf.txt"), "--to", "reference");
      const rows = runPython(python, "real_data.py", ["reference", at("hf.txt"), at("hf_ref.txt")]);
      const lines = documents.flat();
      expect(rows.map(({ text }: { text: string }) => text)).toEqual(lines.map((line) => line.replaceAll(" ", "")));
      const places = (line: string): number[] => {
        let place = 0;
        return line.split(" ").flatMap((word) =>
          // The first place is that of [CLS].
          (/^\d+$/.test(word) ? [word] : [...word]).flatMap((_, i) => {
            place += 1;
            return i === 0 ? [] : [place];
          }),
        );
      };
      expect(rows.map((row: { chinese_ref: number[] }) => row.chinese_ref)).toEqual(lines.map(places));
    },
    PYTHON_TIMEOUT_MS,
  );
});

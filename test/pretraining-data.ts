/** A small data folder that a model can learn within seconds, made here: each segment repeats one character. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PretrainingInstance } from "../src/data/instance.ts";
import { DatasetWriter } from "../src/node/dataset.ts";
import type { PretrainOptions } from "../src/node/pretrain.ts";
import { Vocabulary } from "../src/text/vocabulary.ts";
import { Random } from "../src/util/random.ts";

const CHARACTERS = "天地玄黄宇宙洪荒日月盈昃辰宿列张";
const MAX_SEQ_LENGTH = 48;

/** The vocabulary of the data. */
export const vocabulary = Vocabulary.fromTokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...CHARACTERS]);

/** A config.json of the smallest model that learns the data; `changes` replace fields. */
export function tinyConfig(changes: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({
    model_type: "bert",
    vocab_size: vocabulary.size,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 37,
    max_position_embeddings: 64,
    initializer_range: 0.1,
    ...changes,
  });
}

/** `[CLS] A [SEP] B [SEP]`, each segment one character again and again; B is that of A, or drawn anew. */
function instance(
  random: Random,
  { nextSentence, isMasked, maxSeqLength }: { nextSentence: boolean; isMasked: boolean; maxSeqLength: number },
): PretrainingInstance {
  const first = vocabulary.id(CHARACTERS[0] as string) as number;
  const { cls, sep, mask } = vocabulary.ids;
  const segment = (character: number, length: number) => new Array<number>(length).fill(first + character);
  const longest = maxSeqLength / 2 - 6;
  const [lengthA, lengthB] = [3 + random.integer(longest), 3 + random.integer(longest)];
  const character = random.integer(CHARACTERS.length);
  const label = nextSentence && random.integer(2) === 1 ? 1 : 0;
  const a = segment(character, lengthA);
  const b = segment(label === 0 ? character : random.integer(CHARACTERS.length), lengthB);
  const ids = nextSentence ? [cls, ...a, sep, ...b, sep] : [cls, ...a, sep];
  const inputIds = Int32Array.from(ids);
  const positions = ids.flatMap((id, i) => (id >= first && random.uniform() < 0.1 ? [i] : [])).slice(0, 6);
  if (positions.length === 0) positions.push(1);
  if (!isMasked) positions.length = 0;
  const maskedLmIds = Int32Array.from(positions, (position) => ids[position] as number);
  for (const position of positions) inputIds[position] = mask;
  return {
    inputIds,
    tokenTypeIds: Uint8Array.from(ids, (_, i) => (i > lengthA + 1 ? 1 : 0)),
    wordStarts: new Uint8Array(ids.length).fill(1),
    maskedLmPositions: Int32Array.from(positions),
    maskedLmIds,
    nextSentenceLabel: label,
  };
}

/** Writes a data folder. */
export async function writeData(
  folder: string,
  { count = 200, heldOut = 24, nextSentence = true, seed = 1, isMasked = true, maxSeqLength = MAX_SEQ_LENGTH } = {},
): Promise<void> {
  const writer = await DatasetWriter.create(folder, {
    settings: {
      vocabularyHash: vocabulary.hash(),
      vocabSize: vocabulary.size,
      maxSeqLength,
      maxPredictionsPerSeq: 6,
      masking: isMasked ? "char" : "none",
      nextSentence,
      randomSeed: seed,
      dupeFactor: 1,
    },
    vocabulary,
    tokenizer: { rules: "huggingface", lowercase: true, curlyQuotes: "keep" },
    generation: { maskedLmProb: 0.15, shortSeqProb: 0.1, segmenter: "none", googleCompatible: false },
  });
  const random = new Random(seed);
  for (let i = 0; i < count; i++) await writer.add(instance(random, { nextSentence, isMasked, maxSeqLength }), "data");
  for (let i = 0; i < heldOut; i++)
    await writer.add(instance(random, { nextSentence, isMasked, maxSeqLength }), "held-out");
  await writer.commit({ instances: count + heldOut });
}

/** A temporary folder with `data/` and `config.json`, and the options of short runs into it; `remove` deletes it. */
export async function pretrainingFixture(options: Parameters<typeof writeData>[1] = {}) {
  const root = mkdtempSync(join(tmpdir(), "zhbert-pretrain-"));
  await writeData(join(root, "data"), options);
  writeFileSync(join(root, "config.json"), tinyConfig());
  const [data, config] = [join(root, "data"), join(root, "config.json")];
  return {
    root,
    data,
    config,
    path: (name: string) => join(root, name),
    bytes: (...path: string[]) => readFileSync(join(root, ...path)),
    options: (name: string, more: Partial<PretrainOptions> = {}): PretrainOptions => ({
      data,
      output: join(root, name),
      config,
      steps: 6,
      loggingSteps: 3,
      saveSteps: 3,
      seed: 7,
      batchSize: 8,
      threads: 2,
      ...more,
    }),
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

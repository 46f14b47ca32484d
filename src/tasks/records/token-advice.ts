/** What a model's vocabulary and length make of people's texts: what is cut off, what it does not know, and how rare it is. */
import { big5FrequentCharacters, gb2312Characters } from "../../text/chinese-characters.ts";
import type { BertTokenizer } from "../../text/tokenizer.ts";
import { Random } from "../../util/random.ts";
import type { TaskName } from "../datasets/dataset.ts";
import { type AnyExample, textsOf } from "./data-advice.ts";
import { type DataNote, percent } from "./data-note.ts";

/** Texts that are looked at, drawn by a fixed seed: shares of 1 % are then known to about a fifth of a per cent. */
const SAMPLE = 2000;
/** Cut texts below this share hardly move a score. */
const CUT_SHARE = 0.02;
/** Published data sets have 0.1 % to 0.5 % of [UNK] with the vocabulary of 21,128 entries. */
const UNKNOWN_SHARE = 0.01;
/** Characters beyond GB 2312 level 1 and the frequent ones of Big5: Wikipedia has 0.4 % to 0.8 %, reviews, questions and news 0.02 % to 0.4 %. */
const RARE_SHARE = 0.015;
/** GB 2312 lists its 682 signs and letters first, then the 3,755 common characters. */
const LEVEL_1 = [682, 682 + 3755] as const;
/** Of nearly all models. */
const MAX_POSITIONS = 512;

/**
 * What is noticed of texts with a model's tokeniser.
 * @param maxSeqLength - tokens of a row, special ones included. @param positions - the most that the model can read, 512 when left out.
 */
export function tokenNotes(
  task: TaskName,
  examples: readonly AnyExample[],
  tokenizer: BertTokenizer,
  maxSeqLength: number,
  positions = MAX_POSITIONS,
): DataNote[] {
  const sample = draw(examples);
  if (sample.length === 0) return [];
  const measured = measure(sample, tokenizer);
  // Long passages and sentences are read in windows: nothing of them is lost.
  const isCut = task !== "qa" && task !== "ner";
  return [
    ...(isCut ? lengthNotes(measured.lengths, maxSeqLength, positions) : []),
    ...unknownNotes(measured),
    ...rarityNotes(measured),
  ];
}

interface Measured {
  readonly lengths: readonly number[];
  readonly tokens: number;
  readonly unknown: ReadonlyMap<string, number>;
  readonly characters: number;
  readonly rare: ReadonlyMap<string, number>;
}

function draw(examples: readonly AnyExample[]): readonly AnyExample[] {
  if (examples.length <= SAMPLE) return examples;
  const random = new Random(0);
  return Array.from({ length: SAMPLE }, () => examples[random.integer(examples.length)] as AnyExample);
}

function measure(sample: readonly AnyExample[], tokenizer: BertTokenizer): Measured {
  const common = commonCharacters();
  const lengths: number[] = [];
  const unknown = new Map<string, number>();
  const rare = new Map<string, number>();
  let tokens = 0;
  let characters = 0;
  const unk = tokenizer.vocabulary.ids.unk;
  for (const example of sample) {
    const texts = textsOf(example);
    let length = 1 + texts.length;
    for (const text of texts) {
      const { ids, offsets } = tokenizer.encode(text, { addSpecialTokens: false });
      length += ids.length;
      tokens += ids.length;
      ids.forEach((id, i) => {
        if (id === unk) add(unknown, text.slice(offsets[2 * i], offsets[2 * i + 1]));
      });
      for (const character of text.match(/\p{sc=Han}/gu) ?? []) {
        characters += 1;
        if (!common.has(character)) add(rare, character);
      }
    }
    lengths.push(length);
  }
  return { lengths: lengths.sort((a, b) => a - b), tokens, unknown, characters, rare };
}

let common: Set<string> | undefined;

function commonCharacters(): Set<string> {
  common ??= new Set([...gb2312Characters().slice(...LEVEL_1), ...big5FrequentCharacters()]);
  return common;
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, number) => total + number, 0);
}

function commonest(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 8);
  return sorted.map(([text, number]) => `${text.slice(0, 20)} (${number})`).join(", ");
}

function lengthNotes(lengths: readonly number[], maxSeqLength: number, positions: number): DataNote[] {
  const cut = lengths.filter((length) => length > maxSeqLength).length / lengths.length;
  if (cut < CUT_SHARE) return [];
  const enough = lengths[Math.ceil(0.99 * lengths.length) - 1] as number;
  const better = Math.min(positions, Math.ceil(enough / 16) * 16);
  return [
    {
      kind: "cut-texts",
      level: "warning",
      message: `${percent(cut)} of the texts are longer than ${maxSeqLength} tokens and are cut; 99 % have at most ${enough}`,
      measured: { share: cut, maxSeqLength, percentile99: enough },
      ...(better > maxSeqLength ? { run: `--max-seq-length ${better}` } : {}),
    },
  ];
}

function unknownNotes({ tokens, unknown }: Measured): DataNote[] {
  const share = sum(unknown) / Math.max(1, tokens);
  if (share < UNKNOWN_SHARE) return [];
  const simplified = new Set(gb2312Characters());
  const traditional = new Set(big5FrequentCharacters().filter((character) => !simplified.has(character)));
  const ofScript = sum(
    new Map([...unknown].filter(([text]) => [...text].some((character) => traditional.has(character)))),
  );
  const quotes = sum(new Map([...unknown].filter(([text]) => /^[“”‘’]$/.test(text))));
  const isTraditional = ofScript > sum(unknown) / 2;
  return [
    {
      kind: "unknown-pieces",
      level: "warning",
      message: `${percent(share)} of the tokens are [UNK], most often ${commonest(unknown)}${isTraditional ? ": the vocabulary lacks traditional characters, as ERNIE's does" : ""}`,
      measured: { share, tokens, traditional: ofScript / sum(unknown) },
      run: remedyOf(isTraditional, quotes > sum(unknown) / 2),
    },
  ];
}

function remedyOf(isTraditional: boolean, isQuotes: boolean): string {
  if (isTraditional) return "a model with BERT's vocabulary: --model hfl/chinese-bert-wwm-ext";
  return isQuotes ? "zhbert vocab-add MODEL --curly-quotes map -o reads-quotes/" : "zhbert vocab-add";
}

function rarityNotes({ characters, rare }: Measured): DataNote[] {
  const share = sum(rare) / Math.max(1, characters);
  if (share < RARE_SHARE) return [];
  return [
    {
      kind: "rare-characters",
      level: "info",
      message: `${percent(share)} of the characters are beyond the common ones (Wikipedia: 0.5 %), most often ${commonest(rare)}: the domain seems far from what models were pre-trained on, and pre-training goes on with your own text`,
      measured: { share, characters },
      run: "zhbert data, then zhbert pretrain --init MODEL (docs/training.md)",
    },
  ];
}

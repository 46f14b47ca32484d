/** `zhbert vocab`: makes a vocab.txt from a corpus. */
import { keepCorpus } from "../../node/corpus.ts";
import { readText, writeFileAtomic } from "../../node/files.ts";
import { chineseCharacters } from "../../text/chinese-characters.ts";
import { trainVocabulary } from "../../text/train-vocabulary.ts";
import type { Vocabulary } from "../../text/vocabulary.ts";
import { WordCounter } from "../../text/word-counts.ts";
import { type CommandContext, defineCommand } from "../command.ts";
import { inMegabytes, wholeNumber } from "../numbers.ts";
import { openEndedProgress } from "../progress.ts";
import { encodingOption, openCorpusOf } from "../text-input.ts";

export default defineCommand({
  name: "vocab",
  summary: "make a vocabulary from a corpus",
  arguments: [
    {
      name: "corpus",
      description: "text files; standard input where none is given",
      optional: true,
      variadic: true,
    },
  ],
  options: [
    { flags: "-o, --output <file>", description: "the vocabulary to write", default: "vocab.txt" },
    { flags: "--size <n>", description: "the most tokens", default: 12000, parse: wholeNumber("--size", 1) },
    {
      flags: "--min-frequency <n>",
      description: "the least frequency of a merged piece",
      default: 2,
      parse: wholeNumber("--min-frequency", 1),
    },
    {
      flags: "--min-character-frequency <n>",
      description: "the least frequency of a character that is not required",
      default: 5,
      parse: wholeNumber("--min-character-frequency", 1),
    },
    {
      flags: "--require <set>",
      description:
        "characters to have in any case: chinese (GB 2312, the frequent ones of Big5, punctuation, ASCII), none, or a text file of them",
      default: "chinese",
    },
    {
      flags: "--unused <n>",
      description: "tokens [unused1] and so on, to be given a meaning later",
      default: 0,
      parse: wholeNumber("--unused", 0),
    },
    { flags: "--cased", description: "keep capitals and accents" },
    encodingOption,
  ],
  examples: ["zhbert vocab corpus.txt -o vocab.txt --size 12000", "zhbert vocab 'news/*.txt' -o vocab.txt --cased"],
  run: makeVocabulary,
});

async function makeVocabulary(context: CommandContext): Promise<void> {
  const { options, output, signal } = context;
  const requiredCharacters = await readRequired(options["require"]);
  const counter = new WordCounter({ lowercase: !options["cased"] });
  const { corpus, encoding } = await openCorpusOf(context);
  keepCorpus(corpus, [options["output"]]);
  const shown = { unit: "MB", label: "counting words" };
  const progress =
    corpus.bytes === undefined
      ? openEndedProgress(output, shown)
      : output.progress({ total: inMegabytes(corpus.bytes), ...shown });
  const onBytes = (bytes: number) => progress.update(inMegabytes(bytes));
  for await (const lines of corpus.read({ encoding, signal, onBytes })) {
    for (const line of lines) counter.add(line);
  }
  progress.stop();
  const vocabulary = trainVocabulary(counter, {
    size: options["size"],
    minFrequency: options["minFrequency"],
    minCharacterFrequency: options["minCharacterFrequency"],
    unusedTokens: options["unused"],
    requiredCharacters,
  });
  await writeFileAtomic(options["output"], vocabulary.toText(), signal);
  const summary = { output: options["output"], ...countKinds(vocabulary) };
  output.json(summary);
  output.table(["vocabulary", ""], Object.entries(summary));
}

async function readRequired(set: string): Promise<Iterable<string>> {
  if (set === "chinese") return chineseCharacters();
  return set === "none" ? [] : readText(set);
}

/** What a vocabulary is made of. */
function countKinds({ tokens, size }: Vocabulary): Record<string, number> {
  const count = (pattern: RegExp) => tokens.filter((token) => pattern.test(token)).length;
  return {
    size,
    specialTokens: count(/^\[.+\]$/),
    chineseCharacters: count(/^\p{Script=Han}$/u),
    otherCharacters: count(/^[^\p{Script=Han}]$/u),
    wordPieces: count(/^[^#[].+$/su),
    continuationPieces: count(/^##./su),
  };
}

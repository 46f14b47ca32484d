/** `zhbert vocab-add`: gives a model's vocabulary more tokens. */
import { UsageError, verbatim } from "../../errors.ts";
import { type AddTokensResult, addTokens } from "../../node/add-tokens.ts";
import { readWords } from "../../node/lexicon.ts";
import { type CommandContext, defineCommand, type Output } from "../command.ts";
import { downloadOptions, hubOptions, modelArgument } from "../model.ts";
import { encodingOption } from "../text-input.ts";
import { curlyQuotesOf, curlyQuotesOption } from "../tokenizer-options.ts";

export default defineCommand({
  name: "vocab-add",
  summary: "add tokens to a model's vocabulary, begun with the mean of their pieces",
  arguments: [
    modelArgument,
    {
      name: "tokens",
      description: "a file with one token a line; ## begins one that continues a word",
      optional: true,
    },
  ],
  options: [
    { flags: "-o, --output <folder>", description: "folder for the new model (safetensors)", default: "with-tokens" },
    { flags: "--tokens <list>", description: "tokens beside those of the file, with spaces between: --tokens '“ ” —'" },
    { flags: "--use-unused", description: "take the places [unused1] and so on first, so that the model grows less" },
    {
      ...curlyQuotesOption,
      description: "from now on keep “ ” ‘ ’, or map them to \" and ' (default: as the model does)",
    },
    { ...encodingOption, description: "of the file of tokens" },
    { flags: "--overwrite", description: "replace files of the same names" },
    ...hubOptions,
  ],
  examples: [
    "zhbert vocab-add hfl/chinese-bert-wwm words.txt -o with-words/",
    "zhbert vocab-add model/ --tokens '“ ” ‘ ’ — …' --use-unused -o with-quotes/",
    "zhbert vocab-add model/ --curly-quotes map -o reads-quotes/",
  ],
  run,
});

async function run(context: CommandContext): Promise<void> {
  const { args, options, output, signal } = context;
  const listed = String(options["tokens"] ?? "")
    .split(/\s+/)
    .filter((token) => token !== "");
  const tokens = [
    ...(args["tokens"] === undefined ? [] : await readWords(args["tokens"], options["encoding"])),
    ...listed,
  ];
  if (tokens.length === 0 && options["curlyQuotes"] === undefined) {
    throw new UsageError({
      where: "tokens",
      expected: "a file of tokens, --tokens, or --curly-quotes",
      got: verbatim("nothing to change"),
    });
  }
  const { stop, ...download } = downloadOptions(context);
  const result = await addTokens(args["model"], options["output"], {
    tokens,
    useUnused: options["useUnused"] === true,
    overwrite: options["overwrite"] === true,
    ...curlyQuotesOf(options),
    download,
    signal,
  }).finally(stop);
  output.json({ output: options["output"], ...result });
  report(result, options["output"], output);
}

function report(result: AddTokensResult, folder: string, output: Output): void {
  const { added, present, sizeBefore, size, files, notes, curlyQuotes } = result;
  if (added.length > 0) {
    output.table(
      ["token", "id", "begun with", "found"],
      added.map(({ token, id, pieces, isRaw }) => [
        token,
        id,
        pieces.length > 0 ? pieces.join(" ") : "the mean of all",
        isRaw ? "in raw text" : "by WordPiece",
      ]),
    );
    output.print();
  }
  output.table(
    ["file", "bytes"],
    files.map(({ path, bytes }) => [`${folder.replace(/\/+$/, "")}/${path}`, bytes]),
  );
  for (const note of notes) output.note(note);
  if (present.length > 0) output.note(`already in the vocabulary: ${present.join(" ")}`);
  if (curlyQuotes === "map") output.note("“ ” are read as \" and ‘ ’ as ', unless they are tokens themselves");
  if (added.length === 0) return;
  output.note(
    `${added.length === 1 ? "1 token" : `${added.length} tokens`} added: ${sizeBefore} before, ${size} now; further pre-training gives them a meaning`,
  );
  const raw = added.filter(({ isRaw }) => isRaw);
  if (raw.length > 0) {
    output.note(
      `found in raw text, as tokenizer.json says, and not by programs that read vocab.txt alone: ${raw.map(({ token }) => token).join(" ")}`,
    );
  }
}

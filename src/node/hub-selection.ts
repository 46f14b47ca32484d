/** Which files of a hub's repository make up a model: config, vocabulary, and the weights in one format. */
import { FileError, verbatim } from "../errors.ts";

/** Small files that say how to read the weights and the text. */
const SMALL_FILES = [
  /^(\w+_)?config\.json$/,
  /^vocab\.txt$/,
  /^tokenizer(_\w+)?\.json$/,
  /^special_tokens_map\.json$/,
  /^added_tokens\.json$/,
  // What a model was fine-tuned for here.
  /^task\.json$/,
  // What sentence-transformers says of the vectors: `1_Pooling/config.json` and its like.
  /^(modules|config_sentence_transformers)\.json$/,
  /^\d+_\w+\/config\.json$/,
];
/** Configs of other things than the model. */
const OTHER_CONFIGS = /^(generation|preprocessor|processor|feature_extractor)_config\.json$/;

/** Forms of weights, the best first: lazily readable and checked formats before pickles. */
const WEIGHTS: readonly RegExp[] = [
  /^model\.safetensors$/,
  /^model(-\d+-of-\d+\.safetensors|\.safetensors\.index\.json)$/,
  /^pytorch_model\.bin$/,
  /^pytorch_model(-\d+-of-\d+\.bin|\.bin\.index\.json)$/,
  /^\w+\.ckpt\.(index|meta|data-\d+-of-\d+)$/,
  /^model_state\.pdparams$/,
  /^tf_model\.h5$/,
];

/**
 * The files to take.
 * @param paths - all files of the repository.
 * @param patterns - further ones, with `*` for any characters and `?` for one.
 * @param options.cached - the files that are there already: weights among them are not downloaded in another form.
 * @throws {FileError} when there are no weights that we read.
 */
export function selectFiles(
  paths: readonly string[],
  patterns: readonly string[],
  { where, cached }: { readonly where: string; readonly cached: readonly string[] },
): string[] {
  const weights = weightsAmong(paths, cached);
  const globs = patterns.map(globToRegExp);
  if (weights.length === 0 && globs.length === 0) {
    throw new FileError({
      where,
      expected:
        "a repository with model.safetensors, pytorch_model.bin, a TensorFlow checkpoint or model_state.pdparams",
      got: verbatim(paths.length === 0 ? "no files" : paths.join(", ").slice(0, 300)),
      hint: "check the name, or name files with --include",
    });
  }
  const chosen = new Set([...paths.filter(isSmall), ...weights]);
  return paths.filter((path) => chosen.has(path) || globs.some((glob) => glob.test(path)));
}

/** What a folder lacks to be a whole model, in words; empty when it has all. @param paths - the files that are there. */
export function missingParts(paths: readonly string[]): string[] {
  const missing: string[] = [];
  if (!paths.some((path) => /^(?!tokenizer_|sentence_)\w*config\.json$/.test(path) && isSmall(path))) {
    missing.push("config.json");
  }
  if (!paths.includes("vocab.txt") && !paths.includes("tokenizer.json")) missing.push("vocab.txt");
  const weights = weightsAmong(paths);
  const shards = Math.max(0, ...weights.map((path) => Number(/-of-0*(\d+)/.exec(path)?.[1] ?? 0)));
  const present = weights.filter((path) => /-of-\d+/.test(path)).length;
  if (weights.length === 0) missing.push("the weights");
  else if (present < shards) missing.push(`${shards - present} of ${shards} files of the weights`);
  return missing;
}

function isSmall(path: string): boolean {
  return SMALL_FILES.some((pattern) => pattern.test(path)) && !OTHER_CONFIGS.test(path);
}

/** The weights in one form: the best that is there as a whole, else the best. */
function weightsAmong(paths: readonly string[], cached: readonly string[] = []): string[] {
  const forms = WEIGHTS.map((pattern) => paths.filter((path) => pattern.test(path))).filter(({ length }) => length > 0);
  return forms.find((form) => form.every((path) => cached.includes(path))) ?? forms[0] ?? [];
}

function globToRegExp(glob: string): RegExp {
  const source = glob
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`);
}

/**
 * Checks a path that a hub names: it must stay inside of the folder that it is put into, on every system.
 * @throws {FileError} when it does not.
 */
export function expectSafePath(path: string, where: string): void {
  const parts = path.split("/");
  const isSafe = parts.every((part) => part !== "" && part !== "." && part !== ".." && !/[\\:\p{Cc}]/u.test(part));
  if (isSafe && path.length <= MAX_PATH_LENGTH) return;
  throw new FileError({
    where,
    expected: "names of files inside of the repository",
    got: path,
    hint: "the server may be hostile: nothing was written; use another one",
  });
}

/** What file systems take. */
const MAX_PATH_LENGTH = 255;

/**
 * Models that are not BERT, recognised before their weights are taken for BERT's.
 *
 * What counts is the shape that a config describes and the files of the tokenizer. Names do not: RoBERTa-wwm-ext is a
 * BERT, whatever its folder or its `architectures` say.
 */
import { ConfigError, VocabularyError, verbatim } from "../errors.ts";

type Fields = Readonly<Record<string, unknown>>;

/** Sees from a config's fields that it is not BERT's; gives the telling fact. */
type Sign = (fields: Fields) => string | undefined;

/** Sizes that BERT has none of, as `name: value`. */
function given(fields: Fields, ...names: readonly string[]): string | undefined {
  const name = names.find((candidate) => typeof fields[candidate] === "number" || fields[candidate] === true);
  return name === undefined ? undefined : `${name} ${fields[name]}`;
}

const factorised: Sign = (fields) => {
  const { embedding_size: size, hidden_size: hidden } = fields;
  return typeof size === "number" && size !== hidden ? `embedding_size ${size}, hidden_size ${hidden}` : undefined;
};

const sharedLayers: Sign = (fields) => given(fields, "num_hidden_groups", "inner_group_num");

/** RoBERTa has one segment, and two positions more than tokens, since it counts them from the padding's id + 1. */
const robertaShape: Sign = (fields) => {
  if (fields["type_vocab_size"] === 1) return "type_vocab_size 1";
  const positions = fields["max_position_embeddings"];
  return typeof positions === "number" && Number.isInteger(Math.log2(positions - 2))
    ? `max_position_embeddings ${positions}`
    : undefined;
};

const always: Sign = (fields) => `model_type ${fields["model_type"]}`;

/** By model_type: what it is called, and the signs that it is one indeed. Other model_types are read by their fields. */
const FAMILIES: Readonly<Record<string, readonly [title: string, sign: Sign]>> = {
  roberta: ["RoBERTa", robertaShape],
  "xlm-roberta": ["XLM-RoBERTa", robertaShape],
  camembert: ["CamemBERT", robertaShape],
  albert: ["ALBERT", (fields) => factorised(fields) ?? sharedLayers(fields)],
  electra: ["ELECTRA", always],
  distilbert: ["DistilBERT", always],
  deberta: ["DeBERTa", always],
  "deberta-v2": ["DeBERTa", always],
  xlnet: ["XLNet", always],
  gpt2: ["GPT-2", always],
  t5: ["T5", always],
  mt5: ["mT5", always],
  bart: ["BART", always],
  nezha: ["NEZHA", always],
  roformer: ["RoFormer", always],
  "megatron-bert": ["Megatron-BERT", always],
  mpnet: ["MPNet", always],
  mobilebert: ["MobileBERT", always],
  big_bird: ["BigBird", always],
  longformer: ["Longformer", always],
  funnel: ["Funnel", always],
  convbert: ["ConvBERT", always],
  rembert: ["RemBERT", always],
  ernie_m: ["ERNIE-M", always],
  modernbert: ["ModernBERT", always],
};

/** Fields that tell another network under any model_type. */
const SIGNS: readonly (readonly [title: string, sign: Sign])[] = [
  ["a model with factorised embeddings (ALBERT, ELECTRA)", factorised],
  ["a model with shared layers (ALBERT)", sharedLayers],
  ["DistilBERT", (fields) => (fields["hidden_size"] === undefined ? given(fields, "dim") : undefined)],
  [
    "a model of the kind of XLNet or T5",
    (fields) => (fields["hidden_size"] === undefined ? given(fields, "d_model") : undefined),
  ],
  ["GPT-2", (fields) => (fields["hidden_size"] === undefined ? given(fields, "n_embd") : undefined)],
  ["a decoder", (fields) => given(fields, "is_decoder", "add_cross_attention")],
];

/**
 * Refuses the config of another network.
 * @throws {ConfigError} that says what it is and by what it was recognised.
 */
export function expectBertShaped(fields: Fields, where: string): void {
  const type = fields["model_type"];
  const family = typeof type === "string" && Object.hasOwn(FAMILIES, type) ? FAMILIES[type] : undefined;
  for (const [title, sign] of family === undefined ? SIGNS : [family, ...SIGNS]) {
    const fact = sign(fields);
    if (fact === undefined) continue;
    throw new ConfigError({
      where,
      expected: "the config of a BERT",
      got: verbatim(`that of ${title} (${fact})`),
      hint: "zhbert loads models of BERT's shape: BERT, BERT-wwm, RoBERTa-wwm-ext, RBT, MacBERT, LERT, PERT, MiniRBT, ERNIE 1.0",
    });
  }
  if (fields["use_task_id"] === true) {
    throw new ConfigError({
      where: `${where}: use_task_id`,
      expected: "false: no embedding of tasks, as in ERNIE 1.0",
      got: true,
      hint: "ERNIE 2.0 and 3.0 add a task's vector to each token; zhbert loads ERNIE 1.0",
    });
  }
}

/** Files of tokenizers that are not BERT's. */
const FOREIGN_FILES: readonly (readonly [pattern: RegExp, title: string])[] = [
  [/^(sentencepiece\.bpe\.model|spiece\.model|spm\.model)$/, "a SentencePiece tokenizer (XLM-RoBERTa, ALBERT, XLNet)"],
  [/^merges\.txt$/, "a byte-level BPE tokenizer (RoBERTa, GPT-2)"],
];

const FOREIGN_CLASSES = /^(XLMRoberta|Roberta|Camembert|GPT2|XLNet|Deberta|DebertaV2|T5|Bart|Llama)Tokenizer(Fast)?$/;

/**
 * Refuses a tokenizer of RoBERTa's or XLM-R's kind beside BERT's weights: its ids would be other characters.
 * @param paths - of the model's files; a file of such a tokenizer counts when its folder has no vocab.txt.
 * @param tokenizerConfig - the parsed tokenizer_config.json, or undefined.
 * @param where - for messages.
 * @param tokenizerJson - the parsed tokenizer.json, or undefined.
 * @throws {VocabularyError} that says what it is.
 */
export function expectBertTokenizer(
  paths: readonly string[],
  tokenizerConfig: unknown,
  where: string,
  tokenizerJson?: unknown,
): void {
  const found = foreignClass(tokenizerConfig) ?? foreignModel(tokenizerJson) ?? foreignFile(paths);
  if (found === undefined) return;
  throw new VocabularyError({
    where,
    expected: "BERT's WordPiece tokenizer",
    got: verbatim(found),
    hint: "RoBERTa-wwm-ext and its kin are BERT and take BERT's vocab.txt (21128 lines): put it beside the weights, without the other tokenizer's files",
  });
}

function foreignClass(tokenizerConfig: unknown): string | undefined {
  const name = (tokenizerConfig as { tokenizer_class?: unknown } | null | undefined)?.tokenizer_class;
  return typeof name === "string" && FOREIGN_CLASSES.test(name) ? `tokenizer_class ${name}` : undefined;
}

function foreignModel(tokenizerJson: unknown): string | undefined {
  const type = (tokenizerJson as { model?: { type?: unknown } | null } | null | undefined)?.model?.type;
  return type === "BPE" || type === "Unigram" ? `a tokenizer.json of type ${type}` : undefined;
}

function foreignFile(paths: readonly string[]): string | undefined {
  for (const path of paths) {
    const folder = path.slice(0, path.lastIndexOf("/") + 1);
    const title = FOREIGN_FILES.find(([pattern]) => pattern.test(path.slice(folder.length)))?.[1];
    if (title !== undefined && !paths.includes(`${folder}vocab.txt`)) return `${path}, the file of ${title}`;
  }
  return undefined;
}

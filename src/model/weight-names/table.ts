/**
 * The names of a BERT's parameters in every dialect, in one table that is read in both directions.
 *
 * A row is a module; its kind says which parameters it has, what each dialect calls them and which are transposed.
 * Sources: modeling.py, run_classifier.py and run_squad.py of google-research/bert; modeling_bert.py and
 * modeling_tf_bert.py of huggingface/transformers; transformers/bert/modeling.py of PaddlePaddle/PaddleNLP 2.2.
 */

/** Who named the weights: Transformers, PyTorch files of 2019 (gamma, beta), Google's TensorFlow code, Keras, PaddleNLP. */
export type Dialect = "huggingface" | "pytorch-2019" | "tensorflow" | "keras" | "paddle";

/** Stands in the table for the number of a layer. */
const LAYER = "#";

/** One parameter in the dialects; a `T` before the name says that the matrix is stored transposed, as [in, out]. */
type ParameterNames = Readonly<Record<Dialect, string>>;

const BIAS: ParameterNames = names("bias", "bias", "bias", "bias", "bias");

/** The parameters of a module, by its kind; an empty name is the module's own. */
const KINDS = {
  words: [names("weight", "weight", "", "weight", "weight")],
  embedding: [names("weight", "weight", "", "embeddings", "weight")],
  linear: [names("weight", "weight", "T kernel", "T kernel", "T weight"), BIAS],
  norm: [names("weight", "gamma", "gamma", "gamma", "weight"), names("bias", "beta", "beta", "beta", "bias")],
  /** A classifier, which Google's code writes out by hand: its matrix is [out, in] there too. */
  output: [
    names("weight", "weight", "output_weights", "T kernel", "T weight"),
    names("bias", "bias", "output_bias", "bias", "bias"),
  ],
  vocabulary: [names("bias", "bias", "output_bias", "bias", "decoder_bias")],
} as const satisfies Record<string, readonly ParameterNames[]>;

function names(
  huggingface: string,
  pytorch2019: string,
  tensorflow: string,
  keras: string,
  paddle: string,
): ParameterNames {
  return { huggingface, "pytorch-2019": pytorch2019, tensorflow, keras, paddle };
}

/** Kind; module in Transformers, Google's TensorFlow code, Keras and PaddleNLP. */
const MODULES: readonly (readonly [keyof typeof KINDS, string, string, string, string])[] = [
  ["words", ...same("bert.embeddings.word_embeddings")],
  ["embedding", ...same("bert.embeddings.position_embeddings")],
  ["embedding", ...same("bert.embeddings.token_type_embeddings")],
  [
    "norm",
    "bert.embeddings.LayerNorm",
    "bert/embeddings/LayerNorm",
    "bert/embeddings/LayerNorm",
    "bert.embeddings.layer_norm",
  ],
  ["linear", ...layer("attention.self.query", "self_attn.q_proj")],
  ["linear", ...layer("attention.self.key", "self_attn.k_proj")],
  ["linear", ...layer("attention.self.value", "self_attn.v_proj")],
  ["linear", ...layer("attention.output.dense", "self_attn.out_proj")],
  ["norm", ...layer("attention.output.LayerNorm", "norm1")],
  ["linear", ...layer("intermediate.dense", "linear1")],
  ["linear", ...layer("output.dense", "linear2")],
  ["norm", ...layer("output.LayerNorm", "norm2")],
  ["linear", ...same("bert.pooler.dense")],
  [
    "linear",
    "cls.predictions.transform.dense",
    "cls/predictions/transform/dense",
    "mlm___cls/predictions/transform/dense",
    "cls.predictions.transform",
  ],
  [
    "norm",
    "cls.predictions.transform.LayerNorm",
    "cls/predictions/transform/LayerNorm",
    "mlm___cls/predictions/transform/LayerNorm",
    "cls.predictions.layer_norm",
  ],
  ["vocabulary", "cls.predictions", "cls/predictions", "mlm___cls/predictions", "cls.predictions"],
  ["output", "cls.seq_relationship", "cls/seq_relationship", "nsp___cls/seq_relationship", "cls.seq_relationship"],
  ["output", "classifier", "", "classifier", "classifier"],
  // PaddleNLP calls the head of question answering "classifier" as well: it is read as the row above.
  ["output", "qa_outputs", "cls/squad", "qa_outputs", "classifier"],
];

function same(module: string): [string, string, string, string] {
  const path = module.replaceAll(".", "/");
  return [module, path, path, module];
}

function layer(module: string, paddle: string): [string, string, string, string] {
  const path = module.replaceAll(".", "/");
  return [
    `bert.encoder.layer.${LAYER}.${module}`,
    `bert/encoder/layer_${LAYER}/${path}`,
    `bert/encoder/layer_._${LAYER}/${path}`,
    `bert.encoder.layers.${LAYER}.${paddle}`,
  ];
}

/** A parameter in a dialect. */
export interface DialectName {
  readonly name: string;
  /** Whether the matrix is [in, out] there, while Transformers has [out, in]. */
  readonly transposed: boolean;
}

/** A parameter in all dialects; `#` stands for the number of a layer. */
type TableRow = Readonly<Record<Dialect, DialectName>>;

const TABLE: readonly TableRow[] = MODULES.flatMap(([kind, huggingface, tensorflow, keras, paddle]) =>
  KINDS[kind].map((parameter) => ({
    huggingface: join(huggingface, ".", parameter.huggingface),
    "pytorch-2019": join(huggingface, ".", parameter["pytorch-2019"]),
    tensorflow: join(tensorflow, "/", parameter.tensorflow),
    keras: join(keras, "/", parameter.keras),
    paddle: join(paddle, ".", parameter.paddle),
  })),
);

function join(module: string, separator: string, parameter: string): DialectName {
  const transposed = parameter.startsWith("T ");
  const own = transposed ? parameter.slice(2) : parameter;
  return { name: [module, own].filter((part) => part !== "").join(separator), transposed };
}

/** Copies of one parameter under a second name that a dialect stores; each is tied to the first. */
export const TIED_COPIES: readonly { readonly of: string; readonly copies: Partial<Record<Dialect, string>> }[] = [
  {
    of: "bert.embeddings.word_embeddings.weight",
    copies: {
      huggingface: "cls.predictions.decoder.weight",
      "pytorch-2019": "cls.predictions.decoder.weight",
      paddle: "cls.predictions.decoder_weight",
    },
  },
  { of: "cls.predictions.bias", copies: { huggingface: "cls.predictions.decoder.bias" } },
];

const LAYER_NUMBER = /(layers?[._]+)(\d+)/;

type Lookup = ReadonlyMap<string, TableRow>;

const LOOKUPS = new Map<Dialect, Lookup>();

/** The rows of the table by their names in one dialect; of two rows with one name the first counts. */
function lookup(dialect: Dialect): Lookup {
  const known = LOOKUPS.get(dialect);
  if (known !== undefined) return known;
  const made = new Map([...TABLE].reverse().map((row) => [row[dialect].name, row]));
  LOOKUPS.set(dialect, made);
  return made;
}

/** A parameter's name in another dialect, and whether the matrix must be transposed; undefined for unknown names. */
export function translate(name: string, from: Dialect, to: Dialect): DialectName | undefined {
  const number = LAYER_NUMBER.exec(name)?.[2];
  const row = lookup(from).get(number === undefined ? name : name.replace(LAYER_NUMBER, `$1${LAYER}`));
  if (row === undefined) return undefined;
  const target = row[to].name;
  return {
    name: number === undefined ? target : target.replace(LAYER, number),
    transposed: row[from].transposed !== row[to].transposed,
  };
}

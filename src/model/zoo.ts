/**
 * The zoo: what is published about the Chinese BERTs that people use. A fact that nobody published is undefined.
 *
 * Sources of the facts: the repositories and papers that each entry names; sizes: the config files of the downloads.
 */
import { ArgumentError, nearest } from "../errors.ts";
import type { Activation } from "./config.ts";
import { publishedScores, type TaskScores } from "./zoo-scores.ts";

/** Whether the published weights have a trained head for masked tokens; undefined where nobody says. */
export type MlmHeadFact =
  /** Trained to predict masked tokens. */
  | "yes"
  /** Trained to correct similar words; by its authors it cannot fill masks. */
  | "correction"
  /** Left out, or random numbers in its place. */
  | "no"
  | undefined;

/** One published model. */
export interface ZooModel {
  readonly name: string;
  /** Its id on Hugging Face's hub. */
  readonly hubName: string;
  /** Other names by which people know it, PaddleHub's module names and older ids among them. */
  readonly aliases: readonly string[];
  /** Ids of copies on ModelScope, made by others than the authors. */
  readonly modelScopeName?: string;
  /** The name of the original download. */
  readonly download?: string;
  readonly layers: number;
  readonly hiddenSize: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly vocabSize: number;
  readonly maxPositions: number;
  readonly activation: Activation;
  /** As its authors give it; parameterCount has the exact number. */
  readonly publishedParameters?: string;
  readonly corpus?: string;
  readonly corpusDetail?: string;
  readonly corpusTokens?: string;
  readonly device?: string;
  /** Numbers of steps, with the length of their sequences in tokens. */
  readonly steps?: string;
  readonly batchSize?: string;
  readonly optimiser?: string;
  readonly initialWeights?: string;
  readonly masking?: string;
  readonly mlmHead?: MlmHeadFact;
  /** What users should know besides. */
  readonly note?: string;
  readonly licence: string;
  readonly paper?: string;
  readonly repository: string;
  /** Which column of the published learning rates is its. */
  readonly learningRates?: keyof typeof bestLearningRates;
}

/**
 * The best initial learning rates of fine-tuning by task.
 * Sources: ymcui/Chinese-BERT-wwm (bert, ernie, wwm); iflytek/MiniRBT (small: RBT3, RBT4-h312, MiniRBT).
 */
export const bestLearningRates = {
  bert: {
    "CMRC 2018": 3e-5,
    DRCD: 3e-5,
    CJRC: 4e-5,
    XNLI: 3e-5,
    ChnSentiCorp: 2e-5,
    LCQMC: 2e-5,
    "BQ Corpus": 3e-5,
    THUCNews: 2e-5,
  },
  ernie: {
    "CMRC 2018": 8e-5,
    DRCD: 8e-5,
    CJRC: 8e-5,
    XNLI: 5e-5,
    ChnSentiCorp: 5e-5,
    LCQMC: 3e-5,
    "BQ Corpus": 5e-5,
    THUCNews: 5e-5,
  },
  wwm: {
    "CMRC 2018": 3e-5,
    DRCD: 3e-5,
    CJRC: 4e-5,
    XNLI: 3e-5,
    ChnSentiCorp: 2e-5,
    LCQMC: 2e-5,
    "BQ Corpus": 3e-5,
    THUCNews: 2e-5,
  },
  small: {
    "CMRC 2018": 1e-4,
    DRCD: 1e-4,
    OCNLI: 5e-5,
    LCQMC: 1e-4,
    "BQ Corpus": 1e-4,
    TNEWS: 1e-4,
    ChnSentiCorp: 1e-4,
  },
} as const satisfies Record<string, Readonly<Record<string, number>>>;

const base = { layers: 12, hiddenSize: 768, heads: 12, intermediateSize: 3072 } as const;
const large = { layers: 24, hiddenSize: 1024, heads: 16, intermediateSize: 4096 } as const;
/** Google's Chinese vocabulary, which the whole family kept. */
const chinese = { vocabSize: 21_128, maxPositions: 512, activation: "gelu", licence: "Apache-2.0" } as const;

const google = {
  paper: "arXiv:1810.04805",
  repository: "github.com/google-research/bert",
  mlmHead: "yes",
  initialWeights: "random",
} as const;

const hflCorpus = {
  corpus: "Chinese Wikipedia + EXT",
  corpusDetail: "EXT: other encyclopedias, news, questions and answers",
  corpusTokens: "5.4B",
} as const;
const wwm = {
  ...chinese,
  paper: "arXiv:1906.08101",
  repository: "github.com/ymcui/Chinese-BERT-wwm",
  mlmHead: "no",
  learningRates: "wwm",
  note: "what stands in place of the MLM head is random: train it before fill-mask (zhbert mlm-head)",
} as const;
const roberta = { ...wwm, ...hflCorpus, masking: "whole words, static; no next sentence prediction" } as const;
const distilled = {
  ...chinese,
  steps: "100K at 512",
  batchSize: "4,096",
  masking: "whole words; distillation at temperature 8",
  repository: "github.com/iflytek/MiniRBT",
  learningRates: "small",
} as const;
const lert = {
  ...chinese,
  ...hflCorpus,
  device: "TPU",
  steps: "2M at 512",
  batchSize: "1,024",
  optimiser: "AdamW",
  masking: "whole words and n-grams; also parts of speech, entities and dependencies; no next sentence prediction",
  mlmHead: "yes",
  paper: "arXiv:2211.05344",
  repository: "github.com/ymcui/LERT",
} as const;
const pert = {
  ...chinese,
  ...hflCorpus,
  masking: "permuted tokens (whole words, n-grams) whose positions are predicted; no [MASK]",
  mlmHead: "no",
  note: "trained without [MASK]; the MLM head of the download is random",
  paper: "arXiv:2203.06906",
  repository: "github.com/ymcui/PERT",
} as const;
const macbert = {
  ...chinese,
  ...hflCorpus,
  masking: "similar words in place of [MASK]; whole words and n-grams; sentence order prediction",
  mlmHead: "correction",
  note: "trained to correct words, not to fill [MASK]",
  paper: "arXiv:2004.13922",
  repository: "github.com/ymcui/MacBERT",
} as const;

/** All models, Google's first, then the Chinese-BERT-wwm family, then its relatives. */
export const zoo: readonly ZooModel[] = [
  {
    name: "BERT-base-Chinese",
    hubName: "google-bert/bert-base-chinese",
    aliases: ["bert-base-chinese", "BERT-base, Chinese", "chinese_L-12_H-768_A-12"],
    modelScopeName: "tiansz/bert-base-chinese",
    download: "chinese_L-12_H-768_A-12.zip",
    ...base,
    ...chinese,
    ...google,
    publishedParameters: "110M",
    corpus: "Chinese Wikipedia",
    corpusTokens: "0.4B",
    device: "TPU Pod v2",
    optimiser: "AdamW",
    masking: "WordPiece tokens",
    learningRates: "bert",
  },
  {
    name: "BERT-base-Multilingual-Cased",
    hubName: "google-bert/bert-base-multilingual-cased",
    aliases: ["bert-base-multilingual-cased", "multi_cased_L-12_H-768_A-12"],
    download: "multi_cased_L-12_H-768_A-12.zip",
    ...base,
    ...chinese,
    ...google,
    vocabSize: 119_547,
    publishedParameters: "110M",
    corpus: "Wikipedia in 104 languages",
    masking: "WordPiece tokens",
    note: "cased: do not lower-case its input",
  },
  {
    name: "BERT-base-Multilingual-Uncased",
    hubName: "google-bert/bert-base-multilingual-uncased",
    aliases: ["bert-base-multilingual-uncased", "multilingual_L-12_H-768_A-12"],
    download: "multilingual_L-12_H-768_A-12.zip",
    ...base,
    ...chinese,
    ...google,
    vocabSize: 105_879,
    publishedParameters: "110M",
    corpus: "Wikipedia in 102 languages",
    masking: "WordPiece tokens",
    note: "its authors recommend the cased one",
  },
  {
    name: "BERT-wwm",
    hubName: "hfl/chinese-bert-wwm",
    aliases: ["chinese-bert-wwm", "chinese_wwm_L-12_H-768_A-12"],
    modelScopeName: "dienstag/chinese-bert-wwm",
    download: "chinese_wwm_L-12_H-768_A-12.zip",
    ...base,
    ...wwm,
    publishedParameters: "102M",
    corpus: "Chinese Wikipedia",
    corpusTokens: "0.4B",
    device: "TPU v3",
    steps: "100K at 128, 100K at 512",
    batchSize: "2,560 / 384",
    optimiser: "LAMB",
    initialWeights: "BERT-base-Chinese",
    masking: "whole words",
  },
  {
    name: "BERT-wwm-ext",
    hubName: "hfl/chinese-bert-wwm-ext",
    aliases: ["chinese-bert-wwm-ext", "chinese_wwm_ext_L-12_H-768_A-12"],
    modelScopeName: "dienstag/chinese-bert-wwm-ext",
    download: "chinese_wwm_ext_L-12_H-768_A-12.zip",
    ...base,
    ...wwm,
    ...hflCorpus,
    publishedParameters: "102M",
    device: "TPU v3",
    steps: "1M at 128, 400K at 512",
    batchSize: "2,560 / 384",
    optimiser: "LAMB",
    initialWeights: "BERT-base-Chinese",
    masking: "whole words",
  },
  {
    name: "RoBERTa-wwm-ext",
    hubName: "hfl/chinese-roberta-wwm-ext",
    aliases: ["chinese-roberta-wwm-ext", "hfl/roberta-wwm-ext", "chinese_roberta_wwm_ext_L-12_H-768_A-12"],
    modelScopeName: "dienstag/chinese-roberta-wwm-ext",
    download: "chinese_roberta_wwm_ext_L-12_H-768_A-12.zip",
    ...base,
    ...roberta,
    publishedParameters: "102M",
    device: "TPU v3",
    steps: "1M at 512",
    batchSize: "384",
    optimiser: "AdamW",
    initialWeights: "BERT-base-Chinese",
  },
  {
    name: "RoBERTa-wwm-ext-large",
    hubName: "hfl/chinese-roberta-wwm-ext-large",
    aliases: [
      "chinese-roberta-wwm-ext-large",
      "RoBERTa-wwm-large-ext",
      "hfl/roberta-wwm-ext-large",
      "chinese_roberta_wwm_large_ext_L-24_H-1024_A-16",
    ],
    download: "chinese_roberta_wwm_large_ext_L-24_H-1024_A-16.zip",
    ...large,
    ...roberta,
    publishedParameters: "325M",
    device: "TPU Pod v3-32",
    steps: "2M at 512",
    batchSize: "512",
    optimiser: "AdamW",
    initialWeights: "random",
  },
  {
    name: "RBT3",
    hubName: "hfl/rbt3",
    aliases: ["rbt3", "chinese_rbt3_L-3_H-768_A-12"],
    modelScopeName: "dienstag/rbt3",
    download: "chinese_rbt3_L-3_H-768_A-12.zip",
    ...base,
    layers: 3,
    ...roberta,
    publishedParameters: "38M",
    steps: "1M more",
    initialWeights: "the first 3 layers of RoBERTa-wwm-ext",
    learningRates: "small",
  },
  {
    name: "RBT4",
    hubName: "hfl/rbt4",
    aliases: ["rbt4", "chinese_rbt4_L-4_H-768_A-12"],
    download: "chinese_rbt4_L-4_H-768_A-12.zip",
    ...base,
    layers: 4,
    ...roberta,
    // As PaddleNLP gives it.
    publishedParameters: "46.56M",
  },
  {
    name: "RBT6",
    hubName: "hfl/rbt6",
    aliases: ["rbt6", "chinese_rbt6_L-6_H-768_A-12"],
    download: "chinese_rbt6_L-6_H-768_A-12.zip",
    ...base,
    layers: 6,
    ...roberta,
    // As PaddleNLP gives it.
    publishedParameters: "59.74M",
  },
  {
    name: "RBTL3",
    hubName: "hfl/rbtl3",
    aliases: ["rbtl3", "chinese_rbtl3_L-3_H-1024_A-16"],
    download: "chinese_rbtl3_L-3_H-1024_A-16.zip",
    ...large,
    layers: 3,
    ...roberta,
    publishedParameters: "61M",
    steps: "1M more",
    initialWeights: "the first 3 layers of RoBERTa-wwm-ext-large",
  },
  {
    name: "MacBERT-base",
    hubName: "hfl/chinese-macbert-base",
    aliases: ["chinese-macbert-base"],
    modelScopeName: "dienstag/chinese-macbert-base",
    ...base,
    ...macbert,
    publishedParameters: "102M",
  },
  {
    name: "MacBERT-large",
    hubName: "hfl/chinese-macbert-large",
    aliases: ["chinese-macbert-large"],
    modelScopeName: "dienstag/chinese-macbert-large",
    ...large,
    ...macbert,
    publishedParameters: "324M",
  },
  {
    name: "LERT-small",
    hubName: "hfl/chinese-lert-small",
    aliases: ["chinese-lert-small"],
    layers: 12,
    hiddenSize: 256,
    heads: 4,
    intermediateSize: 1024,
    ...lert,
    publishedParameters: "15M",
  },
  {
    name: "LERT-base",
    hubName: "hfl/chinese-lert-base",
    aliases: ["chinese-lert-base", "chinese_lert_base_L-12_H-768_A-12"],
    download: "chinese_lert_base_L-12_H-768_A-12.zip",
    ...base,
    ...lert,
    publishedParameters: "102M",
  },
  {
    name: "LERT-large",
    hubName: "hfl/chinese-lert-large",
    aliases: ["chinese-lert-large"],
    ...large,
    ...lert,
    publishedParameters: "325M",
  },
  {
    name: "PERT-base",
    hubName: "hfl/chinese-pert-base",
    aliases: ["chinese-pert-base", "chinese_pert_base_L-12_H-768_A-12"],
    download: "chinese_pert_base_L-12_H-768_A-12.zip",
    ...base,
    ...pert,
    publishedParameters: "110M",
  },
  {
    name: "PERT-large",
    hubName: "hfl/chinese-pert-large",
    aliases: ["chinese-pert-large"],
    ...large,
    ...pert,
    publishedParameters: "330M",
  },
  {
    name: "MiniRBT-h256",
    hubName: "hfl/minirbt-h256",
    aliases: ["minirbt-h256"],
    layers: 6,
    hiddenSize: 256,
    heads: 8,
    intermediateSize: 1024,
    ...distilled,
    publishedParameters: "10.4M",
    initialWeights: "distilled from a 6-layer assistant of RoBERTa-wwm-ext",
  },
  {
    name: "MiniRBT-h288",
    hubName: "hfl/minirbt-h288",
    aliases: ["minirbt-h288"],
    layers: 6,
    hiddenSize: 288,
    heads: 8,
    intermediateSize: 1152,
    ...distilled,
    publishedParameters: "12.3M",
    initialWeights: "distilled from a 6-layer assistant of RoBERTa-wwm-ext",
    note: "its tables give 8 heads, its training config 12: the config.json of the download decides",
  },
  {
    name: "RBT4-h312",
    hubName: "hfl/rbt4-h312",
    aliases: ["rbt4-h312"],
    layers: 4,
    hiddenSize: 312,
    heads: 12,
    intermediateSize: 1200,
    ...distilled,
    publishedParameters: "11.4M",
    initialWeights: "distilled from RoBERTa-wwm-ext",
  },
  {
    name: "ERNIE 1.0",
    hubName: "nghuyong/ernie-1.0-base-zh",
    aliases: ["ernie", "ernie-1.0", "ernie-1.0-base-zh", "nghuyong/ernie-1.0"],
    ...base,
    ...chinese,
    vocabSize: 18_000,
    maxPositions: 513,
    activation: "relu",
    corpus: "Chinese Wikipedia, Baidu Baike, Baidu news, Baidu Tieba",
    masking: "tokens, then phrases and entities",
    note: "hardly any traditional characters in its vocabulary; wants higher learning rates than BERT",
    paper: "arXiv:1904.09223",
    repository: "github.com/PaddlePaddle/ERNIE",
    learningRates: "ernie",
  },
  {
    name: "BERT-large-wwm-Uncased",
    hubName: "google-bert/bert-large-uncased-whole-word-masking",
    aliases: ["bert-large-uncased-whole-word-masking", "wwm_uncased_L-24_H-1024_A-16"],
    download: "wwm_uncased_L-24_H-1024_A-16.zip",
    ...large,
    ...chinese,
    ...google,
    vocabSize: 30_522,
    publishedParameters: "340M",
    corpus: "English Wikipedia, BookCorpus",
    masking: "whole words",
    note: "English",
  },
  {
    name: "BERT-large-wwm-Cased",
    hubName: "google-bert/bert-large-cased-whole-word-masking",
    aliases: ["bert-large-cased-whole-word-masking", "wwm_cased_L-24_H-1024_A-16"],
    download: "wwm_cased_L-24_H-1024_A-16.zip",
    ...large,
    ...chinese,
    ...google,
    vocabSize: 28_996,
    publishedParameters: "340M",
    corpus: "English Wikipedia, BookCorpus",
    masking: "whole words",
    note: "English; cased: do not lower-case its input",
  },
];

/** Every name by which a model is known, in lower case. */
const byName = new Map<string, ZooModel>(
  zoo.flatMap((model) =>
    [model.name, model.hubName, model.modelScopeName ?? model.name, model.download ?? model.name, ...model.aliases].map(
      (name) => [name.toLowerCase(), model] as const,
    ),
  ),
);

/** A model by any of its names, without regard to case; undefined for a name that the zoo does not have. */
export function lookUpModel(name: string): ZooModel | undefined {
  return byName.get(name.toLowerCase());
}

/**
 * A model by any of its names, without regard to case.
 * @throws {ArgumentError} that names the nearest one.
 */
export function findModel(name: string): ZooModel {
  const found = lookUpModel(name);
  if (found !== undefined) return found;
  const near = nearest(name.toLowerCase(), byName.keys());
  throw new ArgumentError({
    where: "the model's name",
    expected: "a model of the zoo",
    got: name,
    hint: near === undefined ? "zhbert models lists all" : `did you mean ${byName.get(near)?.hubName}?`,
  });
}

/** The id on Hugging Face's hub that a name stands for: aliases become ids, other names stay as they are. */
export function resolveHubName(name: string): string {
  return lookUpModel(name)?.hubName ?? name;
}

/** The id on ModelScope that a name stands for: known models become their copies there, other names stay as they are. */
export function resolveModelScopeName(name: string): string {
  return lookUpModel(name)?.modelScopeName ?? name;
}

/** The number of parameters of embeddings, encoder and pooler, as Transformers' BertModel has them. */
export function parameterCount(model: ZooModel): number {
  const { layers, hiddenSize: H, intermediateSize: I, vocabSize, maxPositions } = model;
  const layerNorm = 2 * H;
  const segments = 2;
  const embeddings = (vocabSize + maxPositions + segments) * H + layerNorm;
  const attention = 4 * (H * H + H) + layerNorm;
  const feedForward = H * I + I + I * H + H + layerNorm;
  const pooler = H * H + H;
  return embeddings + layers * (attention + feedForward) + pooler;
}

/** The published scores of a model by task; undefined where there are none. */
export function scoresOf({ name }: ZooModel): Readonly<Record<string, TaskScores>> | undefined {
  return publishedScores[name];
}

/** The best learning rates of a model by task; undefined where none are published. */
export function learningRatesOf({ learningRates }: ZooModel): Readonly<Record<string, number>> | undefined {
  return learningRates === undefined ? undefined : bestLearningRates[learningRates];
}

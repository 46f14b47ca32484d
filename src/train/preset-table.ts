/**
 * Published recipes as data: each value with where it is published, or why it was assumed. What zhbert cannot do as its
 * authors did is listed with each recipe.
 */
import type { Preset, Sourced } from "./presets.ts";

const BERT = "arXiv:1810.04805, appendix A.2";
const GOOGLE_DATA = "google-research/bert create_pretraining_data.py (defaults)";
const GOOGLE_OPTIMIZER = "google-research/bert optimization.py";
const GOOGLE_CONFIG = "bert_config.json of the download";
const WWM = "ymcui/Chinese-BERT-wwm README";
const WWM_28 = "ymcui/Chinese-BERT-wwm issue 28";
const WWM_72 = "ymcui/Chinese-BERT-wwm issue 72";
const WWM_127 = "ymcui/Chinese-BERT-wwm issue 127";
const WWM_141 = "ymcui/Chinese-BERT-wwm issue 141";
const REVISITING = "arXiv:1906.08101v3, sections III to V";
const MINIRBT = "iflytek/MiniRBT pretraining/";
const NVIDIA = "NVIDIA/DeepLearningExamples PyTorch BERT, run_pretraining.sh with LAMB";
const NVIDIA_DATA = "NVIDIA/DeepLearningExamples PyTorch BERT, data/bertPrep.py";
const ACADEMIC = "IntelLabs/academic-budget-bert README";
const ACADEMIC_DATA = "IntelLabs/academic-budget-bert dataset/README";
const CRAMMING = "JonasGeiping/cramming config/train/bert-o4.yaml";
const CRAMMING_SIZE = "JonasGeiping/cramming config/arch/crammed-bert.yaml";
const CRAMMING_OPTIMIZER = "JonasGeiping/cramming, published config of the model";

const assumed = (why: string) => `assumed: ${why}`;
const LAMB_DEFAULTS = assumed("as RoBERTa-wwm-ext, which kept the defaults of Google's program (issue 127)");

/** Words of the published data. */
const LTP =
  "words are jieba's, the authors' are LTP's: part the text by LTP and give --segmenter spaces to have them as well";
const CORPUS = "the corpus is yours: the authors' was not published";

const lengths128: Preset["data"] = {
  maxSeqLength: [128, BERT],
  maxPredictionsPerSeq: [20, GOOGLE_DATA],
};
const length512 = {
  maxSeqLength: [512, BERT],
  maxPredictionsPerSeq: [80, assumed("a little over 15 % of 512, as NVIDIA has it")],
} as const satisfies Preset["secondData"];

const bertMoments = {
  weightDecay: [0.01, GOOGLE_OPTIMIZER],
  beta1: [0.9, GOOGLE_OPTIMIZER],
  beta2: [0.999, GOOGLE_OPTIMIZER],
  epsilon: [1e-6, GOOGLE_OPTIMIZER],
  maxGradientNorm: [1, GOOGLE_OPTIMIZER],
} as const satisfies Preset["pretrain"];

/** Of the models trained with LAMB, of which the authors said nothing. */
const wwmMoments = {
  weightDecay: [0.01, LAMB_DEFAULTS],
  beta1: [0.9, LAMB_DEFAULTS],
  beta2: [0.999, LAMB_DEFAULTS],
  epsilon: [1e-6, LAMB_DEFAULTS],
  maxGradientNorm: [1, LAMB_DEFAULTS],
  dropout: [0.1, GOOGLE_CONFIG],
} as const satisfies Preset["pretrain"];

const wwmData: Preset["data"] = {
  masking: ["whole-word", WWM],
  maskedLmProb: [0.15, GOOGLE_DATA],
  shortSeqProb: [0.1, GOOGLE_DATA],
  dupeFactor: [5, WWM_28],
};

const fromGoogle: Sourced<string> = ["google-bert/bert-base-chinese", WWM];

/** BERT-wwm and BERT-wwm-ext, which differ in text and steps. */
function wholeWordMasking(name: string, title: string, steps: number, more: number): Preset {
  return {
    name,
    title,
    reference: "arXiv:1906.08101",
    data: { ...wwmData, ...lengths128, maxSeqLength: [128, WWM], sentenceTask: ["nsp", WWM] },
    secondData: { ...length512, maxSeqLength: [512, WWM] },
    pretrain: {
      config: ["base", WWM],
      init: fromGoogle,
      optimizer: ["lamb", WWM],
      ...wwmMoments,
      schedule: ["google", assumed("the schedule of Google's program, into which the authors' LAMB was put")],
      learningRate: [1e-4, WWM_28],
      steps: [steps, WWM],
      warmupShare: [0.1, WWM_28],
      sequences: [2560, WWM],
      second: {
        steps: [more, WWM],
        sequences: [384, WWM],
        learningRate: [1e-4, assumed("a second run as the first one")],
        warmupShare: [0.1, assumed("a second run as the first one")],
      },
    },
    differences: [
      LTP,
      CORPUS,
      "the two phases are one run here: LAMB's moments go on where the authors began a second run",
      "table III of the later paper gives 2M steps, README and issue 28 these",
    ],
  };
}

const robertaData: Preset["data"] = {
  ...wwmData,
  maxSeqLength: [512, WWM],
  maxPredictionsPerSeq: length512.maxPredictionsPerSeq,
  sentenceTask: ["none", WWM],
};

const robertaTraining = {
  optimizer: ["adamw-bert", WWM],
  ...wwmMoments,
  weightDecay: [0.01, WWM_127],
  beta1: [0.9, WWM_127],
  beta2: [0.999, WWM_127],
  epsilon: [1e-6, WWM_127],
  maxGradientNorm: [1, WWM_127],
  schedule: ["google", WWM_127],
  learningRate: [1e-4, WWM_141],
  steps: [1_000_000, WWM],
  warmupSteps: [10_000, WWM_72],
  sequences: [384, WWM],
} as const satisfies Preset["pretrain"];

/** All of them, BERT's own first. */
export const presets: readonly Preset[] = [
  {
    name: "bert-base-chinese",
    title: "BERT-base, Chinese",
    reference: "arXiv:1810.04805",
    data: {
      masking: ["char", BERT],
      maskedLmProb: [0.15, GOOGLE_DATA],
      shortSeqProb: [0.1, GOOGLE_DATA],
      dupeFactor: [10, GOOGLE_DATA],
      ...lengths128,
      sentenceTask: ["nsp", BERT],
    },
    secondData: length512,
    pretrain: {
      config: ["base", GOOGLE_CONFIG],
      optimizer: ["adamw-bert", GOOGLE_OPTIMIZER],
      ...bertMoments,
      schedule: ["google", GOOGLE_OPTIMIZER],
      learningRate: [1e-4, BERT],
      dropout: [0.1, BERT],
      steps: [900_000, BERT],
      warmupSteps: [10_000, BERT],
      sequences: [256, BERT],
      second: { steps: [100_000, BERT], sequences: [256, BERT] },
    },
    differences: [
      "steps and batch of the Chinese model were not published: these are those of the English one",
      CORPUS,
    ],
  },
  wholeWordMasking("bert-wwm", "BERT-wwm", 100_000, 100_000),
  wholeWordMasking("bert-wwm-ext", "BERT-wwm-ext", 1_000_000, 400_000),
  {
    name: "roberta-wwm-ext",
    title: "RoBERTa-wwm-ext",
    reference: "arXiv:1906.08101",
    data: robertaData,
    pretrain: { config: ["base", WWM], init: fromGoogle, ...robertaTraining },
    differences: [
      LTP,
      CORPUS,
      "how sequences without next sentence prediction were packed was not published: here full sentences of one document",
    ],
  },
  {
    name: "rbt3",
    title: "RBT3",
    reference: "arXiv:1906.08101",
    data: robertaData,
    pretrain: {
      ...robertaTraining,
      config: ["rbt3", REVISITING],
      init: ["hfl/chinese-roberta-wwm-ext", REVISITING],
      steps: [1_000_000, REVISITING],
    },
    takesFirstLayers: true,
    differences: [LTP, CORPUS, "the published teacher has no trained MLM head, so that this one learns it first"],
  },
  {
    name: "macbert",
    title: "MacBERT-base",
    reference: "arXiv:2004.13922",
    data: {
      ...wwmData,
      masking: ["macbert", REVISITING],
      ngramWeights: [[0.4, 0.3, 0.2, 0.1], REVISITING],
      mixing: ["0.8 similar words, 0.1 random words, 0.1 kept", REVISITING],
      dupeFactor: [5, assumed("as the authors' other models (issue 28)")],
      maxSeqLength: [512, REVISITING],
      maxPredictionsPerSeq: length512.maxPredictionsPerSeq,
      sentenceTask: ["sop", REVISITING],
    },
    pretrain: {
      config: ["base", REVISITING],
      init: ["google-bert/bert-base-chinese", REVISITING],
      optimizer: ["lamb", REVISITING],
      ...wwmMoments,
      schedule: ["google", assumed("the schedule of Google's program")],
      learningRate: [1e-4, assumed("published for MacBERT-large")],
      steps: [1_000_000, REVISITING],
      warmupSteps: [10_000, assumed("as RoBERTa-wwm-ext (issue 72)")],
      sequences: [512, assumed("published for MacBERT-large")],
    },
    differences: [
      LTP,
      CORPUS,
      "similar words come from --word-vectors, the authors' from the Synonyms toolkit; a word without similar ones is replaced token by token, theirs at random and in 10 % of the cases at most",
    ],
  },
  {
    name: "minirbt",
    title: "MiniRBT-h256",
    reference: "github.com/iflytek/MiniRBT",
    data: {
      masking: ["whole-word", MINIRBT],
      maskedLmProb: [0.15, MINIRBT],
      dupeFactor: [1, MINIRBT],
      shortSeqProb: [0, assumed("its data are lines, packed to the full length")],
      maxSeqLength: [512, MINIRBT],
      maxPredictionsPerSeq: length512.maxPredictionsPerSeq,
      sentenceTask: ["none", MINIRBT],
    },
    pretrain: {
      config: ["minirbt-h256", MINIRBT],
      optimizer: ["adamw-bert", MINIRBT],
      weightDecay: [0.01, MINIRBT],
      beta1: [0.9, assumed("the default of Transformers' AdamW")],
      beta2: [0.999, assumed("the default of Transformers' AdamW")],
      epsilon: [1e-6, assumed("the default of Transformers' AdamW")],
      maxGradientNorm: [1, MINIRBT],
      schedule: ["linear", MINIRBT],
      learningRate: [4e-4, MINIRBT],
      dropout: [0.1, MINIRBT],
      steps: [100_000, MINIRBT],
      warmupShare: [0.1, MINIRBT],
      sequences: [2048, MINIRBT],
      dynamicMasking: [true, MINIRBT],
    },
    differences: [
      "without a teacher: the authors distil from RoBERTa-wwm-ext at temperature 8, over a 6-layer assistant, with the error of hidden states; here the model learns masked tokens alone",
      "the README gives a batch of 4,096, the program's 8 processes of 256 make 2,048",
      LTP,
      CORPUS,
    ],
  },
  {
    name: "nvidia-lamb",
    title: "BERT-large by LAMB",
    reference: "arXiv:1904.00962",
    data: {
      masking: ["char", NVIDIA_DATA],
      maskedLmProb: [0.15, NVIDIA_DATA],
      shortSeqProb: [0.1, GOOGLE_DATA],
      dupeFactor: [5, NVIDIA_DATA],
      maxSeqLength: [128, NVIDIA],
      maxPredictionsPerSeq: [20, NVIDIA],
      sentenceTask: ["nsp", NVIDIA],
    },
    secondData: { maxSeqLength: [512, NVIDIA], maxPredictionsPerSeq: [80, NVIDIA] },
    pretrain: {
      config: ["large", NVIDIA],
      optimizer: ["lamb-nvidia", NVIDIA],
      weightDecay: [0.01, NVIDIA],
      beta1: [0.9, assumed("the default of FusedLAMB")],
      beta2: [0.999, assumed("the default of FusedLAMB")],
      epsilon: [1e-6, assumed("the default of FusedLAMB")],
      maxGradientNorm: [1, assumed("the default of FusedLAMB")],
      schedule: ["nvidia", NVIDIA],
      schedulePower: [0.5, NVIDIA],
      learningRate: [6e-3, NVIDIA],
      dropout: [0.1, NVIDIA],
      steps: [7038, NVIDIA],
      warmupShare: [0.2843, NVIDIA],
      sequences: [65_536, NVIDIA],
      second: {
        steps: [1563, NVIDIA],
        sequences: [32_768, NVIDIA],
        learningRate: [4e-3, NVIDIA],
        warmupShare: [0.128, NVIDIA],
      },
    },
    differences: [
      "float32, not mixed precision with loss scaling",
      "the count of updates goes on in the second phase; NVIDIA's begins again at 0 (docs/training.md)",
      "published for English text and its vocabulary",
    ],
  },
  {
    name: "academic-budget",
    title: "24 hours of BERT-large",
    reference: "arXiv:2104.07705",
    data: {
      masking: ["char", ACADEMIC_DATA],
      maskedLmProb: [0.15, ACADEMIC_DATA],
      shortSeqProb: [0.1, assumed("the default of Google's program")],
      dupeFactor: [10, ACADEMIC_DATA],
      maxSeqLength: [128, ACADEMIC_DATA],
      maxPredictionsPerSeq: [20, ACADEMIC_DATA],
      sentenceTask: ["none", ACADEMIC],
    },
    pretrain: {
      config: ["large", ACADEMIC],
      optimizer: ["adamw", ACADEMIC],
      weightDecay: [0.01, ACADEMIC],
      beta1: [0.9, ACADEMIC],
      beta2: [0.98, ACADEMIC],
      epsilon: [1e-6, ACADEMIC],
      maxGradientNorm: [0, ACADEMIC],
      schedule: ["linear", ACADEMIC],
      learningRate: [1e-3, ACADEMIC],
      dropout: [0.1, ACADEMIC],
      hours: [24, ACADEMIC],
      warmupShare: [0.06, ACADEMIC],
      sequences: [4096, ACADEMIC],
    },
    differences: [
      "LayerNorm after each block, as BERT's; the authors' is before it (pre-LN), which bears this learning rate more easily",
      "float32, not mixed precision",
      "24 hours were on 8 GPUs; published for English text and its vocabulary",
    ],
  },
  {
    name: "cramming",
    title: "24 hours on one GPU",
    reference: "arXiv:2212.14034",
    data: {
      masking: ["char", CRAMMING],
      maskedLmProb: [0.25, CRAMMING],
      shortSeqProb: [0, assumed("its text is one stream, cut into sequences of 128")],
      dupeFactor: [1, assumed("masks are drawn while training")],
      maxSeqLength: [128, CRAMMING_SIZE],
      maxPredictionsPerSeq: [32, CRAMMING],
      sentenceTask: ["none", CRAMMING],
      crossDocuments: [true, assumed("its text is one stream, cut into sequences of 128")],
    },
    pretrain: {
      config: ["cramming", CRAMMING_SIZE],
      optimizer: ["adamw", CRAMMING_OPTIMIZER],
      weightDecay: [0.01, CRAMMING],
      beta1: [0.9, CRAMMING_OPTIMIZER],
      beta2: [0.98, CRAMMING_OPTIMIZER],
      epsilon: [1e-12, CRAMMING_OPTIMIZER],
      maxGradientNorm: [0.5, CRAMMING],
      schedule: ["linear", CRAMMING],
      learningRate: [1e-3, CRAMMING],
      dropout: [0, CRAMMING],
      hours: [24, assumed("the paper's day on one GPU")],
      warmupShare: [0.75, CRAMMING],
      batchRamp: [0.6, CRAMMING],
      sequences: [8192, CRAMMING],
      dynamicMasking: [true, assumed("masks are drawn while training")],
    },
    differences: [
      "BERT's layers: the authors' have LayerNorm before each block (pre-LN), a gated GELU, no biases; positions are learned, theirs scaled sinusoids; theirs has no transform before the output",
      "the rate climbs from 0 for three quarters of the time; theirs from a quarter of the peak",
      "float32, not mixed precision; published for English text and its vocabulary",
    ],
  },
];

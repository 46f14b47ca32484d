/**
 * Published scores of Chinese BERTs, by model and task, in percent.
 *
 * Sources: the tables of ymcui/Chinese-BERT-wwm, ymcui/MacBERT and ymcui/LERT (maximum and mean of several runs; the rows
 * of RBT3, RBTL3 and LERT-small give the maximum), and of iflytek/MiniRBT (the mean of at least three runs). ERNIE is
 * Baidu's 1.0.
 */

/** The best and the mean run; undefined where only one of them is published. */
export type Score = readonly [max: number | undefined, mean?: number];

/** Scores of one split by metric: exact match and F1, or accuracy. */
export interface SplitScores {
  readonly em?: Score;
  readonly f1?: Score;
  readonly accuracy?: Score;
}

/** Scores of one task by split. */
export interface TaskScores {
  readonly dev?: SplitScores;
  readonly test?: SplitScores;
  /** CMRC 2018's questions that need several sentences. */
  readonly challenge?: SplitScores;
}

/** By model (its name in the zoo), then by task. */
export const publishedScores: Readonly<Record<string, Readonly<Record<string, TaskScores>>>> = {
  "BERT-wwm": {
    "CMRC 2018": {
      dev: { em: [66.3, 65.0], f1: [85.6, 84.7] },
      test: { em: [70.5, 69.1], f1: [87.4, 86.7] },
      challenge: { em: [21.0, 19.3], f1: [47.0, 43.9] },
    },
    DRCD: { dev: { em: [84.3, 83.4], f1: [90.5, 90.2] }, test: { em: [82.8, 81.8], f1: [89.7, 89.0] } },
    CJRC: { dev: { em: [54.7, 54.0], f1: [75.2, 74.8] }, test: { em: [55.1, 54.1], f1: [75.4, 74.4] } },
    XNLI: { dev: { accuracy: [79.0, 78.4] }, test: { accuracy: [78.2, 78.0] } },
    ChnSentiCorp: { dev: { accuracy: [95.1, 94.5] }, test: { accuracy: [95.4, 95.0] } },
    LCQMC: { dev: { accuracy: [89.4, 89.2] }, test: { accuracy: [87.0, 86.8] } },
    "BQ Corpus": { dev: { accuracy: [86.1, 85.6] }, test: { accuracy: [85.2, 84.9] } },
    THUCNews: { dev: { accuracy: [98.0, 97.6] }, test: { accuracy: [97.8, 97.6] } },
  },
  "BERT-wwm-ext": {
    "CMRC 2018": {
      dev: { em: [67.1, 65.6], f1: [85.7, 85.0] },
      test: { em: [71.4, 70.0], f1: [87.7, 87.0] },
      challenge: { em: [24.0, 20.0], f1: [47.3, 44.6] },
    },
    DRCD: { dev: { em: [85.0, 84.5], f1: [91.2, 90.9] }, test: { em: [83.6, 83.0], f1: [90.4, 89.9] } },
    CJRC: { dev: { em: [55.6, 54.8], f1: [76.0, 75.3] }, test: { em: [55.6, 54.9], f1: [75.8, 75.0] } },
    XNLI: { dev: { accuracy: [79.4, 78.6] }, test: { accuracy: [78.7, 78.3] } },
    ChnSentiCorp: { dev: { accuracy: [95.4, 94.6] }, test: { accuracy: [95.3, 94.7] } },
    LCQMC: { dev: { accuracy: [89.6, 89.2] }, test: { accuracy: [87.1, 86.6] } },
    "BQ Corpus": { dev: { accuracy: [86.4, 85.5] }, test: { accuracy: [85.3, 84.8] } },
    THUCNews: { dev: { accuracy: [97.7, 97.5] }, test: { accuracy: [97.7, 97.5] } },
  },
  "RoBERTa-wwm-ext": {
    "CMRC 2018": {
      dev: { em: [67.4, 66.5], f1: [87.2, 86.5] },
      test: { em: [72.6, 71.4], f1: [89.4, 88.8] },
      challenge: { em: [26.2, 24.6], f1: [51.0, 49.1] },
    },
    DRCD: { dev: { em: [86.6, 85.9], f1: [92.5, 92.2] }, test: { em: [85.6, 85.2], f1: [92.0, 91.7] } },
    CJRC: { dev: { em: [58.7, 57.6], f1: [79.1, 78.3] }, test: { em: [59.0, 57.8], f1: [79.0, 78.0] } },
    XNLI: { dev: { accuracy: [80.0, 79.2] }, test: { accuracy: [78.8, 78.3] } },
    ChnSentiCorp: { dev: { accuracy: [95.0, 94.6] }, test: { accuracy: [95.6, 94.8] } },
    LCQMC: { dev: { accuracy: [89.0, 88.7] }, test: { accuracy: [86.4, 86.1] } },
    "BQ Corpus": { dev: { accuracy: [86.0, 85.4] }, test: { accuracy: [85.0, 84.6] } },
    THUCNews: { dev: { accuracy: [98.3, 97.9] }, test: { accuracy: [97.7, 97.5] } },
  },
  "RoBERTa-wwm-ext-large": {
    "CMRC 2018": {
      dev: { em: [68.5, 67.6], f1: [88.4, 87.9] },
      test: { em: [74.2, 72.4], f1: [90.6, 90.0] },
      challenge: { em: [31.5, 30.1], f1: [60.1, 57.5] },
    },
    DRCD: { dev: { em: [89.6, 89.1], f1: [94.8, 94.4] }, test: { em: [89.6, 88.9], f1: [94.5, 94.1] } },
    CJRC: { dev: { em: [62.1, 61.1], f1: [82.4, 81.6] }, test: { em: [62.4, 61.4], f1: [82.2, 81.0] } },
    XNLI: { dev: { accuracy: [82.1, 81.3] }, test: { accuracy: [81.2, 80.6] } },
    ChnSentiCorp: { dev: { accuracy: [95.8, 94.9] }, test: { accuracy: [95.8, 94.9] } },
    LCQMC: { dev: { accuracy: [90.4, 90.0] }, test: { accuracy: [87.0, 86.8] } },
    "BQ Corpus": { dev: { accuracy: [86.3, 85.7] }, test: { accuracy: [85.8, 84.9] } },
    THUCNews: { dev: { accuracy: [98.3, 97.7] }, test: { accuracy: [97.8, 97.6] } },
  },
  RBT3: {
    "CMRC 2018": { test: { em: [62.2], f1: [81.8] } },
    DRCD: { test: { em: [75.0], f1: [83.9] } },
    XNLI: { test: { accuracy: [72.3] } },
    ChnSentiCorp: { test: { accuracy: [92.8] } },
    LCQMC: { test: { accuracy: [85.1] } },
    "BQ Corpus": { test: { accuracy: [83.3] } },
  },
  RBTL3: {
    "CMRC 2018": { test: { em: [63.3], f1: [83.4] } },
    DRCD: { test: { em: [77.2], f1: [85.6] } },
    XNLI: { test: { accuracy: [74.0] } },
    ChnSentiCorp: { test: { accuracy: [94.2] } },
    LCQMC: { test: { accuracy: [85.1] } },
    "BQ Corpus": { test: { accuracy: [83.6] } },
  },
  "MacBERT-base": {
    "CMRC 2018": {
      dev: { em: [68.5, 67.3], f1: [87.9, 87.1] },
      test: { em: [73.2, 72.4], f1: [89.5, 89.2] },
      challenge: { em: [30.2, 26.4], f1: [54.0, 52.2] },
    },
    DRCD: { dev: { em: [89.4, 89.2], f1: [94.3, 94.1] }, test: { em: [89.5, 88.7], f1: [93.8, 93.5] } },
    XNLI: { dev: { accuracy: [80.3, 79.7] }, test: { accuracy: [79.3, 78.8] } },
    ChnSentiCorp: { dev: { accuracy: [95.2, 94.8] }, test: { accuracy: [95.6, 94.9] } },
    LCQMC: { dev: { accuracy: [89.5, 89.3] }, test: { accuracy: [87.0, 86.5] } },
    "BQ Corpus": { dev: { accuracy: [86.0, 85.5] }, test: { accuracy: [85.2, 84.9] } },
  },
  "MacBERT-large": {
    "CMRC 2018": {
      dev: { em: [70.7, 68.6], f1: [88.9, 88.2] },
      test: { em: [74.8, 73.2], f1: [90.7, 90.1] },
      challenge: { em: [31.9, 29.6], f1: [60.2, 57.6] },
    },
    DRCD: { dev: { em: [91.2, 90.8], f1: [95.6, 95.3] }, test: { em: [91.7, 90.9], f1: [95.6, 95.3] } },
    XNLI: { dev: { accuracy: [82.4, 81.8] }, test: { accuracy: [81.3, 80.6] } },
    ChnSentiCorp: { dev: { accuracy: [95.7, 95.0] }, test: { accuracy: [95.9, 95.1] } },
    LCQMC: { dev: { accuracy: [90.6, 90.3] }, test: { accuracy: [87.6, 87.1] } },
    "BQ Corpus": { dev: { accuracy: [86.2, 85.7] }, test: { accuracy: [85.6, 85.0] } },
  },
  "PERT-base": {
    "CMRC 2018": {
      dev: { em: [68.5, 68.1], f1: [87.2, 87.1] },
      test: { em: [72.8, 72.5], f1: [89.2, 89.0] },
      challenge: { em: [28.7, 28.2], f1: [55.4, 53.7] },
    },
    ChnSentiCorp: { dev: { accuracy: [94.0, 93.7] } },
    TNEWS: { dev: { accuracy: [56.7, 56.1] } },
    XNLI: { dev: { accuracy: [78.8, 78.1] } },
    OCNLI: { dev: { accuracy: [75.3, 74.8] } },
    "MSRA-NER": { test: { f1: [95.6, 95.3] } },
    "People's Daily": { dev: { f1: [95.3, 95.1] } },
  },
  "LERT-base": {
    "CMRC 2018": {
      dev: { em: [69.2, 68.4], f1: [88.1, 87.9] },
      test: { em: [73.5, 72.8], f1: [89.7, 89.4] },
      challenge: { em: [27.7, 26.7], f1: [55.9, 54.6] },
    },
    ChnSentiCorp: { dev: { accuracy: [94.9, 94.7] } },
    TNEWS: { dev: { accuracy: [57.5, 57.1] } },
    XNLI: { dev: { accuracy: [80.2, 79.5] } },
    OCNLI: { dev: { accuracy: [78.2, 77.5] } },
    "MSRA-NER": { test: { f1: [95.7, 95.4] } },
    "People's Daily": { dev: { f1: [95.6, 95.4] } },
  },
  "PERT-large": {
    "CMRC 2018": {
      dev: { em: [72.2, 71.0], f1: [89.4, 88.8] },
      test: { em: [76.8, 75.5], f1: [90.7, 90.4] },
      challenge: { em: [32.3, 30.9], f1: [59.2, 58.1] },
    },
    ChnSentiCorp: { dev: { accuracy: [94.5, 94.0] } },
    TNEWS: { dev: { accuracy: [57.4, 57.2] } },
    XNLI: { dev: { accuracy: [81.0, 80.4] } },
    OCNLI: { dev: { accuracy: [78.1, 77.8] } },
    "MSRA-NER": { test: { f1: [96.2, 96.0] } },
    "People's Daily": { dev: { f1: [96.1, 95.8] } },
  },
  "LERT-large": {
    "CMRC 2018": {
      dev: { em: [71.2, 70.5], f1: [89.5, 89.1] },
      test: { em: [75.6, 75.1], f1: [90.9, 90.6] },
      challenge: { em: [32.3, 29.7], f1: [61.2, 59.2] },
    },
    ChnSentiCorp: { dev: { accuracy: [95.6, 94.9] } },
    TNEWS: { dev: { accuracy: [58.7, 58.5] } },
    XNLI: { dev: { accuracy: [81.7, 81.2] } },
    OCNLI: { dev: { accuracy: [79.4, 78.9] } },
    "MSRA-NER": { test: { f1: [96.3, 96.0] } },
    "People's Daily": { dev: { f1: [96.3, 96.0] } },
  },
  "LERT-small": {
    "CMRC 2018": { test: { em: [67.8], f1: [85.2] } },
    DRCD: { test: { em: [83.2], f1: [89.4] } },
    XNLI: { test: { accuracy: [75.2] } },
    LCQMC: { test: { accuracy: [85.3] } },
    "BQ Corpus": { test: { accuracy: [83.4] } },
    ChnSentiCorp: { test: { accuracy: [94.0] } },
  },
  "RBT4-h312": {
    "CMRC 2018": { dev: { f1: [undefined, 77.9], em: [undefined, 54.93] } },
    DRCD: { dev: { f1: [undefined, 84.13], em: [undefined, 75.07] } },
    OCNLI: { dev: { accuracy: [undefined, 68.5] } },
    LCQMC: { dev: { accuracy: [undefined, 85.49] } },
    "BQ Corpus": { dev: { accuracy: [undefined, 83.42] } },
    TNEWS: { dev: { accuracy: [undefined, 54.15] } },
    ChnSentiCorp: { dev: { accuracy: [undefined, 93.31] } },
  },
  "MiniRBT-h256": {
    "CMRC 2018": { dev: { f1: [undefined, 78.47], em: [undefined, 56.27] } },
    DRCD: { dev: { f1: [undefined, 86.83], em: [undefined, 78.57] } },
    OCNLI: { dev: { accuracy: [undefined, 68.73] } },
    LCQMC: { dev: { accuracy: [undefined, 86.81] } },
    "BQ Corpus": { dev: { accuracy: [undefined, 83.68] } },
    TNEWS: { dev: { accuracy: [undefined, 54.45] } },
    ChnSentiCorp: { dev: { accuracy: [undefined, 92.97] } },
  },
  "MiniRBT-h288": {
    "CMRC 2018": { dev: { f1: [undefined, 80.53], em: [undefined, 58.83] } },
    DRCD: { dev: { f1: [undefined, 87.1], em: [undefined, 78.73] } },
    OCNLI: { dev: { accuracy: [undefined, 68.32] } },
    LCQMC: { dev: { accuracy: [undefined, 86.38] } },
    "BQ Corpus": { dev: { accuracy: [undefined, 83.77] } },
    TNEWS: { dev: { accuracy: [undefined, 54.62] } },
    ChnSentiCorp: { dev: { accuracy: [undefined, 92.83] } },
  },
  "BERT-base-Chinese": {
    "CMRC 2018": {
      dev: { em: [65.5, 64.4], f1: [84.5, 84.0] },
      test: { em: [70.0, 68.7], f1: [87.0, 86.3] },
      challenge: { em: [18.6, 17.0], f1: [43.3, 41.3] },
    },
    DRCD: { dev: { em: [83.1, 82.7], f1: [89.9, 89.6] }, test: { em: [82.2, 81.6], f1: [89.2, 88.8] } },
    CJRC: { dev: { em: [54.6, 54.0], f1: [75.4, 74.5] }, test: { em: [55.1, 54.1], f1: [75.2, 74.3] } },
    XNLI: { dev: { accuracy: [77.8, 77.4] }, test: { accuracy: [77.8, 77.5] } },
    ChnSentiCorp: { dev: { accuracy: [94.7, 94.3] }, test: { accuracy: [95.0, 94.7] } },
    LCQMC: { dev: { accuracy: [89.4, 88.4] }, test: { accuracy: [86.9, 86.4] } },
    "BQ Corpus": { dev: { accuracy: [86.0, 85.5] }, test: { accuracy: [84.8, 84.6] } },
    THUCNews: { dev: { accuracy: [97.7, 97.4] }, test: { accuracy: [97.8, 97.6] } },
  },
  "ERNIE 1.0": {
    "CMRC 2018": {
      dev: { em: [65.4, 64.3], f1: [84.7, 84.2] },
      test: { em: [69.4, 68.2], f1: [86.6, 86.1] },
      challenge: { em: [19.6, 17.0], f1: [44.3, 42.8] },
    },
    DRCD: { dev: { em: [73.2, 73.0], f1: [83.9, 83.8] }, test: { em: [71.9, 71.4], f1: [82.5, 82.3] } },
    CJRC: { dev: { em: [54.3, 53.9], f1: [75.3, 74.6] }, test: { em: [55.0, 53.9], f1: [75.0, 73.9] } },
    XNLI: { dev: { accuracy: [79.7, 79.4] }, test: { accuracy: [78.6, 78.2] } },
    ChnSentiCorp: { dev: { accuracy: [95.4, 94.8] }, test: { accuracy: [95.4, 95.3] } },
    LCQMC: { dev: { accuracy: [89.8, 89.6] }, test: { accuracy: [87.2, 87.0] } },
    "BQ Corpus": { dev: { accuracy: [86.3, 85.5] }, test: { accuracy: [85.0, 84.6] } },
    THUCNews: { dev: { accuracy: [97.6, 97.3] }, test: { accuracy: [97.5, 97.3] } },
  },
};

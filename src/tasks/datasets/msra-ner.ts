/** MSRA's named entities of the third SIGHAN bake-off: people, places and organisations in news. */

import { tagsOf } from "../ner/tag-schemes.ts";
import type { DataNote } from "../records/data-note.ts";
import { readTaggedColumns } from "../records/tagged-columns.ts";
import { type DatasetFile, defineDataset } from "./dataset.ts";

const TYPES = ["PER", "LOC", "ORG"];

/** Which tags there are for some types of entities, in the scheme IOB2. */
export function iob2Tags(types: readonly string[]): ReadonlySet<string> {
  return new Set(["O", ...types.flatMap((type) => tagsOf([{ type, start: 0, end: 2 }], 2, "IOB2"))]);
}

/** Sentences of the People's Daily's dev file. */
const CUT_TEST_SENTENCES = 4_631;

const SAME_AS_TEST: DataNote = {
  kind: "overlap",
  level: "warning",
  message: "this file holds the sentences of MSRA's test set, cut differently",
  run: "where you test on that set, leave --dev out: a share of the training file is then held out",
};

/** Files with `字 B-LOC` on each line. */
export function readNews({ path, text }: DatasetFile) {
  const examples = readTaggedColumns(text, { path, tags: iob2Tags(TYPES) });
  return { examples, ...(examples.length === CUT_TEST_SENTENCES ? { notes: [SAME_AS_TEST] } : {}) };
}

/** The training set is also spread cut into shorter sentences, under the name of the People's Daily. */
export const msraNer = defineDataset({
  name: "msra-ner",
  aliases: ["msra", "sighan2006"],
  title: "MSRA-NER",
  task: "ner",
  source: "Levow 2006, The third international Chinese language processing bakeoff",
  licence: "none stated",
  splits: {
    train: {
      files: [
        "sighan2006_train.txt",
        "msra_train_bio.txt",
        "msra_train_bio",
        "msra_ner/train.txt",
        "msra/train.txt",
        "msra_ner/train.tsv",
        "peopledaily_ner/train.txt",
        "train.txt",
        "train.tsv",
      ],
      count: [46_364, 45_000, 45_001, 50_658],
    },
    dev: { files: ["msra_ner/dev.txt", "msra/dev.txt", "msra_ner/dev.tsv"] },
    test: {
      files: [
        "sighan2006_test.txt",
        "msra_test_bio.txt",
        "msra_test_bio",
        "msra_ner/test.txt",
        "msra/test.txt",
        "msra_ner/test.tsv",
        "test.txt",
        "test.tsv",
      ],
      count: [4_365, 3_442, 3_443],
    },
  },
  read: readNews,
  labels: TYPES,
  primaryMetric: "f1",
  maxSeqLength: 256,
});

/** Weibo NER: names and nominal mentions of people, places, organisations and political entities in posts. */
import type { TaggedExample } from "../examples.ts";
import { characterUnits, joinUnits } from "../ner/text-units.ts";
import { readTaggedColumns } from "../records/tagged-columns.ts";
import { type DatasetFile, defineDataset } from "./dataset.ts";
import { iob2Tags } from "./msra-ner.ts";

const TYPES = ["PER", "LOC", "ORG", "GPE"].flatMap((type) => [`${type}.NAM`, `${type}.NOM`]);

/** In the first layout each character carries its place within its word, `科0`, `技1`; it is taken off. */
function read({ path, text }: DatasetFile) {
  const rows = readTaggedColumns(text, { path, tags: iob2Tags(TYPES) });
  const isSegmented = rows.every(({ text: line, units }) =>
    units.every(
      ([start, end]) => /^.\d+$/su.test(line.slice(start, end)) && characterUnits(line.slice(start, end)).length > 1,
    ),
  );
  return { examples: isSegmented ? rows.map(withoutPlaces) : rows };
}

function withoutPlaces({ text, units, ...rest }: TaggedExample): TaggedExample {
  const characters = units.map(([start]) => String.fromCodePoint(text.codePointAt(start) as number));
  return { ...rest, ...joinUnits(characters) };
}

const files = (split: string) => [
  `weiboNER_2nd_conll.${split}`,
  `weiboNER.conll.${split}`,
  `weibo/${split}.txt`,
  `${split}.all.bmes`,
  `${split}.txt`,
];

/** 1,350 + 270 + 270 posts. */
export const weiboNer = defineDataset({
  name: "weibo-ner",
  aliases: ["weibo"],
  title: "Weibo NER",
  task: "ner",
  source: "Peng and Dredze 2015, Named entity recognition for Chinese social media; the second version of 2017",
  licence: "none stated",
  splits: {
    train: { files: files("train"), count: 1_350 },
    dev: { files: files("dev"), count: 270 },
    test: { files: files("test"), count: 270 },
  },
  read,
  labels: TYPES,
  primaryMetric: "f1",
  maxSeqLength: 192,
});

/** The published data sets that are known by name. To add one: one import and one entry. */
import { c3 } from "./c3.ts";
import { chnsenticorp } from "./chnsenticorp.ts";
import { cjrc } from "./cjrc.ts";
import { cluener } from "./cluener.ts";
import { cmrc2018 } from "./cmrc2018.ts";
import type { AnyDataset } from "./dataset.ts";
import { drcd } from "./drcd.ts";
import { ocnli, xnli } from "./inference.ts";
import { msraNer } from "./msra-ner.ts";
import { peopleDaily } from "./people-daily.ts";
import { afqmc, bqCorpus, lcqmc } from "./question-pairs.ts";
import { squad, squad2 } from "./squad.ts";
import { stsB } from "./sts-b.ts";
import { thucnews } from "./thucnews.ts";
import { tnews } from "./tnews.ts";
import { udChinese } from "./ud-chinese.ts";
import { weiboNer } from "./weibo-ner.ts";
import { asWords, cityuWords, msrWords, pkuWords } from "./word-segmentation.ts";

/** Every data set, in the order of tables. */
export const datasets: readonly AnyDataset[] = [
  cmrc2018,
  drcd,
  cjrc,
  squad,
  squad2,
  xnli,
  ocnli,
  chnsenticorp,
  lcqmc,
  bqCorpus,
  afqmc,
  thucnews,
  tnews,
  stsB,
  c3,
  peopleDaily,
  msraNer,
  weiboNer,
  cluener,
  pkuWords,
  msrWords,
  asWords,
  cityuWords,
  udChinese,
];

/** The data set of a name or of one of its aliases, in any letter case; undefined where there is none. */
export function findDataset(name: string): AnyDataset | undefined {
  const key = keyOf(name);
  return datasets.find((dataset) => [dataset.name, ...(dataset.aliases ?? [])].some((known) => keyOf(known) === key));
}

function keyOf(name: string): string {
  return name.toLowerCase().replace(/[\s_-]+/g, "");
}

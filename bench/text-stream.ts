/** Texts of mixed lengths, the same as stream() of ../shared/peers/common.py; needs the tasks' data beside the checkout. */
import { execFileSync } from "node:child_process";
import { Skip } from "./bench.ts";
import { sharedPath } from "./peers.ts";

/**
 * A file of the tasks' data.
 * @throws {Skip} when the data are not there.
 */
export function taskFile(archive: string, member: string): string {
  const path = sharedPath(`data/tasks/${archive}.tar.xz`);
  if (path === undefined) throw new Skip(`../shared/data/tasks/${archive}.tar.xz is not there`);
  const text = execFileSync("tar", ["-xJOf", path, member], { maxBuffer: 1 << 30 }).toString();
  return text.startsWith("\ufeff") ? text.slice(1) : text;
}

/** Lines as Python's splitlines() gives them for these files: no empty one after the last line end. */
export const linesOf = (text: string) => text.replace(/\r?\n$/, "").split(/\r?\n/);

interface Squad {
  readonly data: readonly { readonly paragraphs: readonly { readonly context: string }[] }[];
}

/** Which source each of ten texts is from: four headlines, three questions, two reviews, one passage. */
const ORDER = [0, 1, 0, 2, 1, 0, 3, 1, 0, 2] as const;

/**
 * The first `count` texts.
 * @throws {Skip} when the data are not there.
 */
export function mixedTexts(count: number): string[] {
  const squad = JSON.parse(taskFile("cmrc2018", "cmrc2018/squad-style/cmrc2018_dev.json")) as Squad;
  const sources = [
    linesOf(taskFile("tnews", "tnews/tnews_public/test.json")).map((line) => JSON.parse(line).sentence as string),
    linesOf(taskFile("lcqmc", "lcqmc/dev.txt")).map((line) => line.split("\t")[0] as string),
    linesOf(taskFile("chnsenticorp", "chnsenticorp/dev.tsv"))
      .slice(1)
      .map((line) => line.slice(line.indexOf("\t") + 1)),
    squad.data.flatMap(({ paragraphs }) => paragraphs.map(({ context }) => context)),
  ] as const;
  const places = [0, 0, 0, 0];
  return Array.from({ length: count }, (_, i) => {
    const source = ORDER[i % ORDER.length] as 0 | 1 | 2 | 3;
    const place = places[source] as number;
    places[source] = place + 1;
    return sources[source][place % sources[source].length] as string;
  });
}

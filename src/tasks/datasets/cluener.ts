/** CLUENER 2020: ten kinds of entities in news, as JSON lines whose places count characters, the last one included. */
import { DataError, verbatim } from "../../errors.ts";
import { isBlank } from "../../util/python-space.ts";
import type { TaggedExample } from "../examples.ts";
import { DroppedEntities } from "../ner/dropped-entities.ts";
import { type TagSpan, tagsOf, withoutOverlap } from "../ner/tag-schemes.ts";
import { characterUnits } from "../ner/text-units.ts";
import { parseJson } from "../records/parse-json.ts";
import { type DatasetFile, defineDataset, type ReadExamples } from "./dataset.ts";

const TYPES = [
  "address",
  "book",
  "company",
  "game",
  "government",
  "movie",
  "name",
  "organization",
  "position",
  "scene",
];

function read({ path, text }: DatasetFile): ReadExamples<TaggedExample> {
  const examples: TaggedExample[] = [];
  const dropped = new DroppedEntities();
  text.split("\n").forEach((line, i) => {
    if (isBlank(line)) return;
    const where = `${path} line ${i + 1}`;
    const record = parseJson(line, path, i + 1) as { id?: unknown; text?: unknown; label?: unknown } | null;
    if (typeof record?.text !== "string") {
      throw new DataError({ where, expected: 'an object with a "text"', got: record });
    }
    const units = characterUnits(record.text);
    const id = record.id === undefined ? {} : { id: String(record.id) };
    if (record.label === undefined) {
      examples.push({ ...id, text: record.text, units });
      return;
    }
    const spans = withoutOverlap(spansIn(record.label, record.text, units, where));
    dropped.add(where, { text: record.text, units }, spans.dropped);
    examples.push({ ...id, text: record.text, units, tags: tagsOf(spans.kept, units.length, "IOB2") });
  });
  return { examples, notes: dropped.notes("info") };
}

/** `{ type: { surface: [[first, last]] } }` */
function spansIn(label: unknown, text: string, units: TaggedExample["units"], where: string): TagSpan[] {
  return Object.entries(asObject(label, where)).flatMap(([type, surfaces]) => {
    if (!TYPES.includes(type)) throw new DataError({ where, expected: `a type of ${TYPES.join(", ")}`, got: type });
    return Object.entries(asObject(surfaces, where)).flatMap(([surface, places]) =>
      (Array.isArray(places) ? places : [places]).map((place: unknown) => {
        const [first, last] = Array.isArray(place) ? place : [];
        const [from, to] = [units[first]?.[0], units[last]?.[1]];
        if (from !== undefined && to !== undefined && text.slice(from, to) === surface) {
          return { type, start: Number(first), end: Number(last) + 1 };
        }
        const found =
          from === undefined || to === undefined ? "the end of the text" : JSON.stringify(text.slice(from, to));
        throw new DataError({
          where,
          expected: `${JSON.stringify(surface)} at its place ${JSON.stringify(place)}, the last character included`,
          got: verbatim(found),
          hint: "places count characters from 0; correct the line or take it out",
        });
      }),
    );
  });
}

function asObject(value: unknown, where: string): object {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw new DataError({ where, expected: 'entities as { "name": { "叶": [[0, 0]] } }', got: value });
}

/** 10,748 + 1,343 sentences; the test of 1,345 is not labelled, and copies name the dev set test. */
export const cluener = defineDataset({
  name: "cluener",
  aliases: ["cluener2020"],
  title: "CLUENER 2020",
  task: "ner",
  source: "https://github.com/CLUEbenchmark/CLUENER2020 (Xu et al. 2020)",
  licence: "none stated",
  splits: {
    train: { files: ["train.json", "train.jsonl"], count: 10_748 },
    // As in TNEWS: whichever labelled examples stand there are the dev set.
    dev: { files: ["dev.json", "dev.jsonl", "test.json"], count: 1_343 },
    test: { files: ["test.json", "test.jsonl"], count: [1_345, 1_343] },
  },
  read,
  labels: TYPES,
  primaryMetric: "f1",
  maxSeqLength: 128,
});

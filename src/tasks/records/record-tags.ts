/** Records of named entities: units with tags, or a text with its entities. */
import { verbatim } from "../../errors.ts";
import type { TaggedExample } from "../examples.ts";
import { type SpansApart, type TagSpan, tagsOf, withoutOverlap } from "../ner/tag-schemes.ts";
import { characterUnits, joinUnits, type TextUnits } from "../ner/text-units.ts";
import type { ColumnRole } from "./column-names.ts";
import { listOf } from "./list-cells.ts";

/** What is needed of a record. */
interface TagRecord {
  value(role: ColumnRole): unknown;
  text(role: ColumnRole): string;
  error(role: ColumnRole, expected: string, got: unknown): Error;
  /** Is told what of the record is left out. */
  dropped(place: TextUnits, entities: SpansApart["dropped"]): void;
}

/**
 * The example of a record: `tokens` and `tags`; `text` and `tags`, one for each character; or `text` and `entities` with start
 * and end, counted in characters (code points, as Python does) from 0, the end being after the last. Where an entity's own text
 * is given and stands at these places only in UTF-16 units, as JavaScript counts, they are those. Of entities that overlap the
 * longest is kept.
 * @throws {DataError} when there are not as many tags as units, or an entity is outside the text or not the text at its place.
 */
export function taggedExample(record: TagRecord): TaggedExample {
  const tokens = itemsOf(record.value("tokens"));
  const tags = itemsOf(record.value("tags"));
  const { text, units } = tokens === undefined ? ofText(record.text("text")) : joinUnits(tokens.map(String));
  if (tags?.every((tag) => typeof tag === "string") && (tokens !== undefined || tags.length === units.length)) {
    if (tags.length !== units.length)
      throw record.error("tags", `${units.length} tags, one for each unit`, tags.length);
    return { text, units, tags };
  }
  // Both are called `label` by some.
  const entities =
    record.value("entities") ?? (tags?.every((tag) => typeof tag === "string") ? undefined : record.value("tags"));
  if (entities !== undefined) {
    const spans = spansIn(record, entities, { text, units });
    record.dropped({ text, units }, spans.dropped);
    return { text, units, tags: tagsOf(spans.kept, units.length, "IOB2") };
  }
  if (tags !== undefined) throw record.error("tags", `${units.length} tags, one for each character`, tags.length);
  return { text, units };
}

function itemsOf(value: unknown): unknown[] | undefined {
  const list = listOf(value);
  if (list !== undefined) return list;
  return typeof value === "string" && value.includes(" ") ? value.split(" ").filter((item) => item !== "") : undefined;
}

function ofText(text: string): TextUnits {
  return { text, units: characterUnits(text) };
}

/** `[{ start, end, label }]`, `[[start, end, label]]`, or CLUENER's `{ label: { surface: [[first, last]] } }`. */
function spansIn(record: TagRecord, entities: unknown, place: TextUnits): SpansApart {
  if (typeof entities !== "object" || entities === null) throw record.error("entities", "a list of entities", entities);
  const { length } = place.units;
  const given = Array.isArray(entities) ? entities.map((entity) => spanOf(record, entity)) : spansByLabel(entities);
  const spans = given.map((span) => placed(record, span, place));
  for (const { start, end } of spans) {
    if (Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start < end && end <= length) continue;
    throw record.error(
      "entities",
      `offsets within the ${length} characters of the text`,
      verbatim(`${start} to ${end}`),
    );
  }
  return withoutOverlap(spans);
}

/** Where it is said, the text of the entity. */
interface GivenSpan extends TagSpan {
  readonly surface?: string;
}

/** The span in units; by the entity's text it is seen what its offsets count. */
function placed(record: TagRecord, { surface, ...span }: GivenSpan, { text, units }: TextUnits): TagSpan {
  const { type, start, end } = span;
  const [from, to] = [units[start]?.[0], units[end - 1]?.[1]];
  const found = from === undefined || to === undefined ? undefined : text.slice(from, to);
  if (surface === undefined || found === surface) return span;
  if (text.slice(start, end) === surface) {
    const first = units.findIndex(([unit]) => unit === start);
    const last = units.findIndex(([, unit]) => unit === end);
    if (first >= 0 && last >= first) return { type, start: first, end: last + 1 };
  }
  if (found === undefined) return span;
  const expected = `${JSON.stringify(surface)}, the entity's text, from ${start} to ${end}`;
  throw record.error("entities", expected, found);
}

function spanOf(record: TagRecord, entity: unknown): GivenSpan {
  if (Array.isArray(entity)) return { start: Number(entity[0]), end: Number(entity[1]), type: String(entity[2]) };
  const fields = (entity ?? {}) as Record<string, unknown>;
  const type = fields["label"] ?? fields["type"] ?? fields["entity"] ?? fields["entity_group"];
  const start = fields["start"] ?? fields["start_offset"];
  const end = fields["end"] ?? fields["end_offset"];
  const surface = fields["text"] ?? fields["word"] ?? fields["mention"];
  if (typeof type === "string") {
    return { start: Number(start), end: Number(end), type, ...(typeof surface === "string" ? { surface } : {}) };
  }
  throw record.error("entities", 'an entity as { "start": 0, "end": 2, "label": "LOC" }', entity);
}

function spansByLabel(entities: object): GivenSpan[] {
  return Object.entries(entities).flatMap(([type, surfaces]) =>
    Object.entries((surfaces ?? {}) as Record<string, unknown>).flatMap(([surface, places]) =>
      (Array.isArray(places) ? places : []).map((place: unknown) => {
        const [first, last] = Array.isArray(place) ? place : [];
        return { start: Number(first), end: Number(last) + 1, type, surface };
      }),
    ),
  );
}

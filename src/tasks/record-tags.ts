/** Records of named entities: units with tags, or a text with its entities. */
import { verbatim } from "../errors.ts";
import type { ColumnRole } from "./column-names.ts";
import type { TaggedExample } from "./examples.ts";
import { type TagSpan, tagsOf } from "./tag-schemes.ts";
import { characterUnits, joinUnits, type TextUnits } from "./text-units.ts";

/** What is needed of a record. */
interface TagRecord {
  value(role: ColumnRole): unknown;
  text(role: ColumnRole): string;
  error(role: ColumnRole, expected: string, got: unknown): Error;
}

/**
 * The example of a record: `tokens` and `tags`; `text` and `tags`, one for each character; or `text` and `entities` with start
 * and end, counted in characters (code points) from 0, the end being after the last.
 * @throws {DataError} when there are not as many tags as units, or an entity is outside the text.
 */
export function taggedExample(record: TagRecord): TaggedExample {
  const tokens = listOf(record.value("tokens"));
  const tags = listOf(record.value("tags"));
  const { text, units } = tokens === undefined ? ofText(record.text("text")) : joinUnits(tokens.map(String));
  if (tags?.every((tag) => typeof tag === "string") && (tokens !== undefined || tags.length === units.length)) {
    if (tags.length !== units.length)
      throw record.error("tags", `${units.length} tags, one for each unit`, tags.length);
    return { text, units, tags };
  }
  // Both are called `label` by some.
  const entities =
    record.value("entities") ?? (tags?.every((tag) => typeof tag === "string") ? undefined : record.value("tags"));
  if (entities !== undefined)
    return { text, units, tags: tagsOf(spansIn(record, entities, units.length), units.length, "IOB2") };
  if (tags !== undefined) throw record.error("tags", `${units.length} tags, one for each character`, tags.length);
  return { text, units };
}

function listOf(value: unknown): unknown[] | undefined {
  if (Array.isArray(value)) return value;
  return typeof value === "string" && value.includes(" ") ? value.split(" ").filter((item) => item !== "") : undefined;
}

function ofText(text: string): TextUnits {
  return { text, units: characterUnits(text) };
}

/** `[{ start, end, label }]`, `[[start, end, label]]`, or CLUENER's `{ label: { surface: [[first, last]] } }`. */
function spansIn(record: TagRecord, entities: unknown, length: number): TagSpan[] {
  if (typeof entities !== "object" || entities === null) throw record.error("entities", "a list of entities", entities);
  const spans = Array.isArray(entities) ? entities.map((entity) => spanOf(record, entity)) : spansByLabel(entities);
  for (const { start, end } of spans) {
    if (Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start < end && end <= length) continue;
    throw record.error(
      "entities",
      `offsets within the ${length} characters of the text`,
      verbatim(`${start} to ${end}`),
    );
  }
  return spans.sort((a, b) => a.start - b.start);
}

function spanOf(record: TagRecord, entity: unknown): TagSpan {
  if (Array.isArray(entity)) return { start: Number(entity[0]), end: Number(entity[1]), type: String(entity[2]) };
  const fields = (entity ?? {}) as Record<string, unknown>;
  const type = fields["label"] ?? fields["type"] ?? fields["entity"] ?? fields["entity_group"];
  const start = fields["start"] ?? fields["start_offset"];
  const end = fields["end"] ?? fields["end_offset"];
  if (typeof type === "string") return { start: Number(start), end: Number(end), type };
  throw record.error("entities", 'an entity as { "start": 0, "end": 2, "label": "LOC" }', entity);
}

function spansByLabel(entities: object): TagSpan[] {
  return Object.entries(entities).flatMap(([type, surfaces]) =>
    Object.values((surfaces ?? {}) as Record<string, unknown>).flatMap((places) =>
      (Array.isArray(places) ? places : []).map((place: unknown) => {
        const [first, last] = Array.isArray(place) ? place : [];
        return { start: Number(first), end: Number(last) + 1, type };
      }),
    ),
  );
}

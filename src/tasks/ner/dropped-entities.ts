/** Entities of data that a tag for each character cannot hold: those that overlap a longer one. Counted, and the first named. */
import type { DataNote } from "../records/data-note.ts";
import type { SpansApart, TagSpan } from "./tag-schemes.ts";
import type { TextUnits } from "./text-units.ts";

/** Entities that a note names. */
const MAX_LISTED = 5;

/** What the records of one file lost. */
export class DroppedEntities {
  readonly #listed: string[] = [];
  #entities = 0;
  #records = 0;

  /** @param where - the record's place in its file. */
  add(where: string, { text, units }: TextUnits, dropped: SpansApart["dropped"]): void {
    if (dropped.length === 0) return;
    this.#records += 1;
    this.#entities += dropped.length;
    const shown = ({ type, start, end }: TagSpan) =>
      `${type} ${JSON.stringify(text.slice(units[start]?.[0], units[end - 1]?.[1]))}`;
    for (const [span, kept] of dropped.slice(0, MAX_LISTED - this.#listed.length)) {
      this.#listed.push(`${where}: ${shown(span)} in ${shown(kept)}`);
    }
  }

  /** @param level - a warning where people can change the data. */
  notes(level: DataNote["level"]): DataNote[] {
    const [entities, records] = [this.#entities, this.#records];
    if (entities === 0) return [];
    const more = entities > this.#listed.length ? "; ..." : "";
    const message = `${entities} entities in ${records} texts overlap a longer one and are left out, as a character has one tag (${this.#listed.join("; ")}${more})`;
    return [{ kind: "overlapping-entities", level, message, measured: { entities, texts: records } }];
  }
}

/** Which columns of records mean what to a task: as people say, or by their names, or by what is in them; and what was taken. */
import { DataError, nearest, verbatim } from "../../errors.ts";
import type { TaskName } from "../datasets/dataset.ts";
import { type ColumnRole, columnKey, columnNames } from "./column-names.ts";
import type { DataNote } from "./data-note.ts";
import type { Records } from "./records.ts";

/** Columns as people say them: by name, or by number from 1. */
export interface ColumnChoices {
  readonly text?: string;
  readonly textPair?: string;
  /** Of multilabel several: each is a label and holds 0 or 1. */
  readonly label?: string | readonly string[];
  readonly score?: string;
  readonly id?: string;
}

/** The choices of a command line, where a list of label columns has commas between. */
export function columnChoices(columns: Readonly<Partial<Record<keyof ColumnChoices, string>>>): ColumnChoices {
  const { label } = columns;
  return label?.includes(",") ? { ...columns, label: label.split(",") } : (columns as ColumnChoices);
}

/** The places of columns by what they mean. */
export type ColumnPlaces = { readonly [Role in ColumnRole]?: number } & {
  /** Columns of 0 and 1, one for each label. */
  readonly labelColumns?: readonly number[];
};

/** What a task needs of records, and what it can use. */
const roles: Readonly<
  Record<TaskName, { readonly needs: readonly ColumnRole[]; readonly uses: readonly ColumnRole[] }>
> = {
  classify: { needs: ["text"], uses: ["textPair", "label", "id"] },
  match: { needs: ["text", "textPair"], uses: ["label", "id"] },
  multilabel: { needs: ["text"], uses: ["textPair", "label", "id"] },
  regress: { needs: ["text"], uses: ["textPair", "score", "id"] },
  embed: { needs: ["text"], uses: ["textPair", "negative", "score", "id"] },
  ner: { needs: [], uses: ["text", "tokens", "tags", "entities", "id"] },
  qa: { needs: ["context", "question"], uses: ["answers", "answerStart", "id"] },
  choice: { needs: ["question", "choices"], uses: ["context", "answers", "label", "id"] },
};

/** Options of the command line by role, for hints. */
const options: Readonly<Partial<Record<ColumnRole, string>>> = {
  text: "--text-column",
  textPair: "--text-pair-column",
  label: "--label-column",
  score: "--score-column",
  id: "--id-column",
};

/**
 * The columns of a task.
 * @param where - the file's name, for messages. @param choices - undefined where nobody can say any.
 * @throws {DataError} when a column that is said or needed is not there; it names those that are.
 */
export function findColumns(
  task: TaskName,
  records: Records,
  where: string,
  choices?: ColumnChoices,
): { readonly places: ColumnPlaces; readonly notes: readonly DataNote[] } {
  const { needs, uses } = roles[task];
  const wanted = [...needs, ...uses];
  const places: { -readonly [Role in ColumnRole]?: number } = {};
  const labelColumns: number[] = [];
  for (const role of ["text", "textPair", "score", "id"] as const) {
    const name = choices?.[role];
    if (name !== undefined) places[role] = placeOf(name, records, where, role);
  }
  const labels = [choices?.label ?? []].flat();
  for (const name of labels) labelColumns.push(placeOf(name, records, where, "label"));
  if (labelColumns.length === 1)
    places[wanted.includes("score") && !wanted.includes("label") ? "score" : "label"] = labelColumns[0] as number;

  const taken = new Set([...Object.values(places), ...labelColumns]);
  const guessed: string[] = [];
  const take = (role: ColumnRole, place: number): void => {
    places[role] = place;
    taken.add(place);
    guessed.push(`${role} is ${records.hasHeader ? JSON.stringify(records.columns[place]) : `column ${place + 1}`}`);
  };
  if (records.hasHeader) {
    for (const role of wanted) {
      if (places[role] !== undefined || (role === "label" && labelColumns.length > 0)) continue;
      const place = placeByName(role, records, taken);
      if (place !== undefined) take(role, place);
    }
  } else guessByContent(task, records, { places, taken, take });
  const lacking = needs.find((role) => places[role] === undefined);
  if (lacking !== undefined) throw missing(lacking, records, where, choices !== undefined);
  return {
    places: labelColumns.length > 1 ? { ...places, labelColumns } : places,
    notes:
      guessed.length === 0
        ? []
        : [
            {
              kind: "columns",
              level: "info",
              message: `${where}${records.hasHeader ? "" : " has no header"}: ${guessed.join(", ")}`,
            },
          ],
  };
}

function placeByName(role: ColumnRole, records: Records, taken: ReadonlySet<number>): number | undefined {
  const keys = records.columns.map(columnKey);
  for (const name of columnNames[role]) {
    const place = keys.findIndex((key, i) => key === name && !taken.has(i));
    if (place >= 0) return place;
  }
  return undefined;
}

function placeOf(name: string, records: Records, where: string, role: ColumnRole): number {
  const exact = records.columns.indexOf(name);
  if (exact >= 0) return exact;
  const number = /^\d+$/.test(name) ? Number(name) : 0;
  if (number >= 1 && number <= records.columns.length) return number - 1;
  const near = nearest(name, records.columns);
  throw new DataError({
    where,
    expected: `a column ${name}`,
    got: verbatim(columnsIn(records)),
    hint: hintOf(role, near, records),
  });
}

function hintOf(role: ColumnRole, near: string | undefined, { hasHeader }: Records): string {
  const said = `${options[role]}`;
  if (!hasHeader) return `say its number, from 1, with ${said}; a name of the first row, where that is a header`;
  return near === undefined ? `say one of them with ${said}` : `did you mean ${near}?`;
}

function missing(role: ColumnRole, records: Records, where: string, hasOptions: boolean): DataError {
  const option = hasOptions ? options[role] : undefined;
  const names = hasOptions ? columnNames[role].slice(0, 3).join(" or ") : role;
  return new DataError({
    where,
    expected: `a column for ${role === "textPair" ? "the second text" : role}`,
    got: verbatim(columnsIn(records)),
    hint:
      option === undefined
        ? `name it ${names}${role === "textPair" ? "; in a line of text: A ||| B" : ""}`
        : `say which with ${option} NAME`,
  });
}

function columnsIn(records: Records): string {
  if (records.rows.length === 0 && records.columns.length === 0) return "an empty file";
  return records.hasHeader
    ? `the columns ${records.columns.join(", ")}`
    : `${records.columns.length} columns without names; the first row is ${firstRow(records)}`;
}

/** The beginnings of its cells. */
function firstRow({ rows }: Records): string {
  const cells = (rows[0] ?? []).slice(0, MAX_SHOWN_CELLS).map((cell) => JSON.stringify(String(cell).slice(0, 20)));
  return `${cells.join(", ")}${(rows[0]?.length ?? 0) > MAX_SHOWN_CELLS ? ", ..." : ""}`;
}

const MAX_SHOWN_CELLS = 8;

/** Rows that are looked at to tell what columns hold. */
const SAMPLE_ROWS = 1000;

interface Guess {
  readonly places: Readonly<Partial<Record<ColumnRole, number>>>;
  readonly taken: ReadonlySet<number>;
  take(role: ColumnRole, place: number): void;
}

/**
 * Without a header: the label is the column of the fewest different values at the file's left or right edge, and the texts
 * are the longest of the others, in their order.
 */
function guessByContent(task: TaskName, records: Records, { places, taken, take }: Guess): void {
  const { needs, uses } = roles[task];
  const sample = records.rows.slice(0, SAMPLE_ROWS);
  const facts = records.columns.map((_, place) => {
    const cells = sample.map((row) => String(row[place] ?? ""));
    return {
      place,
      distinct: new Set(cells).size,
      length: cells.reduce((sum, cell) => sum + cell.length, 0) / Math.max(1, cells.length),
      isNumeric: cells.every((cell) => /^-?\d+(\.\d+)?$/.test(cell.trim())),
    };
  });
  const free = () => facts.filter(({ place }) => !taken.has(place));
  const target: ColumnRole = uses.includes("label") ? "label" : "score";
  const texts = needs.includes("textPair") ? 2 : 1;
  if (
    places[target] === undefined &&
    free().length > texts - [places.text, places.textPair].filter((place) => place !== undefined).length
  ) {
    const edges = free().filter(({ place }) => place === 0 || place === records.columns.length - 1);
    const isTarget = (one: (typeof facts)[number]) =>
      target === "score" ? one.isNumeric : one.distinct <= Math.max(2, sample.length / 4) || one.isNumeric;
    const [best] = edges.filter(isTarget).sort((a, b) => a.distinct - b.distinct || b.place - a.place);
    if (best !== undefined) take(target, best.place);
  }
  const longest = free()
    .filter(({ isNumeric }) => !isNumeric)
    .sort((a, b) => b.length - a.length)
    .slice(0, uses.includes("textPair") && target === "label" ? 1 : 2)
    .map(({ place }) => place)
    .sort((a, b) => a - b);
  const roleOrder = (["text", "textPair"] as const).filter(
    (role) => places[role] === undefined && [...needs, ...uses].includes(role),
  );
  for (const [i, role] of roleOrder.entries()) if (longest[i] !== undefined) take(role, longest[i]);
}

/** Fields of a YAML document, read with their kinds checked; what is wrong is said with its line. */
import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter, type Node, type YAMLMap } from "yaml";
import { DataError, nearest, verbatim } from "../../errors.ts";

type Scalar = string | number | boolean;

/**
 * The mapping at the top of a document.
 * @param where - the file's name, for messages.
 * @throws {DataError} when there is none.
 */
export function fromYaml(document: Document.Parsed, lines: LineCounter, where: string): YamlFields {
  const { contents } = document;
  const resolve = (node: unknown): unknown => (isAlias(node) ? node.resolve(document) : node);
  if (!isMap(contents)) {
    throw new DataError({
      where,
      expected: "names with values, such as models: [hfl/rbt3]",
      got: verbatim(contents === null ? "an empty file" : "something else"),
      hint: "see docs/reproduce.md for an example",
    });
  }
  return new YamlFields(contents, { lines, file: where, path: "", resolve });
}

interface Place {
  readonly lines: LineCounter;
  readonly file: string;
  /** Of the mapping within the document: `tasks[0]`. */
  readonly path: string;
  resolve(node: unknown): unknown;
}

/** A mapping of a YAML document. */
export class YamlFields {
  readonly #map: YAMLMap;
  readonly #place: Place;
  readonly #hidden: readonly string[];

  constructor(map: YAMLMap, place: Place, hidden: readonly string[] = []) {
    this.#map = map;
    this.#place = place;
    this.#hidden = hidden;
  }

  /** The names, in their order. */
  keys(): string[] {
    const keys = this.#map.items.map(({ key }) => String(isScalar(key) ? key.value : key));
    return keys.filter((key) => !this.#hidden.includes(key));
  }

  /** The same mapping without some names. */
  without(names: readonly string[]): YamlFields {
    return new YamlFields(this.#map, this.#place, [...this.#hidden, ...names]);
  }

  /** Where a name stands, for messages: `baselines.yaml line 3: tasks[0].epochs`. */
  at(key: string): string {
    const { lines, file, path } = this.#place;
    const item = this.#map.items.find((one) => String(isScalar(one.key) ? one.key.value : one.key) === key);
    const range = (item?.key as Node | undefined)?.range ?? this.#map.range;
    const line = range == null ? "" : ` line ${lines.linePos(range[0]).line}`;
    return `${file}${line}: ${path === "" ? key : `${path}.${key}`}`;
  }

  /** @throws {DataError} always. */
  fail(key: string, expected: string, got: unknown, hint: string): never {
    throw new DataError({ where: this.at(key), expected, got, hint });
  }

  /** @throws {DataError} at a name that is not known. */
  expectKeys(known: readonly string[]): void {
    const wrong = this.keys().find((key) => !known.includes(key));
    if (wrong === undefined) return;
    const near = nearest(wrong, known);
    this.fail(
      wrong,
      "a known name",
      wrong,
      near === undefined ? `known are ${known.join(", ")}` : `did you mean ${near}?`,
    );
  }

  text(key: string): string | undefined {
    const value = this.#scalar(key);
    if (value === undefined) return undefined;
    if (typeof value === "string" && value !== "") return value;
    return typeof value === "number" ? String(value) : this.fail(key, "a text", value, "write it in quotes");
  }

  requiredText(key: string, what: string): string {
    return this.text(key) ?? this.fail(key, what, verbatim("none"), `write ${key}: with it`);
  }

  number(key: string): number | undefined {
    const value = this.#scalar(key);
    if (value === undefined || typeof value === "number") return value;
    return this.fail(key, "a number", value, "write it without quotes and units");
  }

  numbers(key: string): number[] | undefined {
    const node = this.#node(key);
    if (node === undefined) return undefined;
    if (!isSeq(node)) return this.fail(key, "a list of numbers", this.#valueOf(key, node), "for example: [1, 2, 3]");
    return this.scalarList(key).map((value) =>
      typeof value === "number" ? value : this.fail(key, "numbers", value, "for example: [1, 2, 3]"),
    );
  }

  record(key: string): YamlFields | undefined {
    const node = this.#node(key);
    if (node === undefined) return undefined;
    if (isMap(node)) return new YamlFields(node, { ...this.#place, path: this.#pathOf(key) });
    return this.fail(
      key,
      "names with values",
      verbatim("something else"),
      `for example: ${key}: { learning-rate: 2e-5 }`,
    );
  }

  /** A list of mappings or texts, of at least one. */
  list(key: string): (YamlFields | string)[] {
    const node = this.#node(key);
    const items = isSeq(node) ? node.items.map((item) => this.#place.resolve(item)) : [];
    if (items.length === 0)
      this.fail(key, "a list of at least one", verbatim("none"), `write ${key}: with lines that begin with -`);
    return items.map((item, i) => {
      if (isMap(item)) return new YamlFields(item, { ...this.#place, path: `${this.#pathOf(key)}[${i}]` });
      const value = isScalar(item) ? item.value : undefined;
      if (typeof value === "string" && value !== "") return value;
      return this.fail(key, "names, or names with values", verbatim("something else"), "for example: - hfl/rbt3");
    });
  }

  /** A list of texts, numbers and truth values; a single one is a list of one. */
  scalarList(key: string): Scalar[] {
    const node = this.#node(key);
    const items = isSeq(node) ? node.items.map((item) => this.#place.resolve(item)) : [node];
    return items.map((item) => this.#valueOf(key, item));
  }

  /** All names with their texts, numbers and truth values. */
  scalars(): [string, Scalar][] {
    return this.keys().map((key) => [key, this.#valueOf(key, this.#node(key))]);
  }

  #scalar(key: string): Scalar | undefined {
    const node = this.#node(key);
    return node === undefined ? undefined : this.#valueOf(key, node);
  }

  #valueOf(key: string, node: unknown): Scalar {
    const value = isScalar(node) ? node.value : undefined;
    const isPlain = typeof value === "string" || typeof value === "number" || typeof value === "boolean";
    return isPlain
      ? value
      : this.fail(key, "a text, a number, true or false", verbatim("something else"), "one value is wanted here");
  }

  #node(key: string): unknown {
    const item = this.#map.items.find((one) => String(isScalar(one.key) ? one.key.value : one.key) === key);
    return item === undefined ? undefined : (this.#place.resolve(item.value) ?? undefined);
  }

  #pathOf(key: string): string {
    return this.#place.path === "" ? key : `${this.#place.path}.${key}`;
  }
}

/** HTML by tagged templates: what is put in is escaped unless it is HTML already. */

/** Text that is HTML. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What a template takes: text and numbers are escaped, lists are joined, undefined is nothing. */
export type HtmlValue = string | number | Markup | undefined | readonly HtmlValue[];

/** A piece of HTML: html`<p>${text}</p>`. */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Markup {
  return new Markup(strings.map((text, i) => text + (i < values.length ? written(values[i]) : "")).join(""));
}

function written(value: HtmlValue): string {
  if (value === undefined) return "";
  if (value instanceof Markup) return value.text;
  if (typeof value === "object") return value.map(written).join("");
  return escapeHtml(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Control characters are replaced too: a text browser might hand them to its terminal. */
function escapeHtml(text: string): string {
  return text.replace(/(?![\t\n])\p{Cc}/gu, "\ufffd").replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}

/** A table; columns that hold numbers alone stand to the right. A head of empty texts is left out. */
export function table(head: readonly HtmlValue[], rows: readonly (readonly HtmlValue[])[]): Markup {
  const isNumeric = head.map((_, column) => rows.length > 0 && rows.every((row) => NUMBER.test(String(row[column]))));
  const cells = (row: readonly HtmlValue[]) =>
    row.map((value, i) => (isNumeric[i] ? html`<td class="number">${value}</td>` : html`<td>${value}</td>`));
  const hasHead = head.some((value) => value !== "");
  return html`<div class="scroll"><table>
${hasHead ? html`<thead><tr>${head.map((value, i) => (isNumeric[i] ? html`<th class="number">${value}</th>` : html`<th>${value}</th>`))}</tr></thead>` : ""}
<tbody>
${rows.map((row) => html`<tr>${cells(row)}</tr>\n`)}</tbody>
</table></div>`;
}

const NUMBER = /^[-+]?[\d,.]+(?:e[-+]?\d+)?(?:\s?%)?$|^$|^–$/;

/** A text with spans highlighted: what was expected, what was predicted, and where both agree; long texts are cut around them. */
import { html, type Markup } from "./html.ts";

/** A span of a text to highlight. */
export interface TextMark {
  /** UTF-16 offsets: the first unit, and the one after the last. */
  readonly span: readonly [start: number, end: number];
  readonly kind: "expected" | "predicted";
  /** The type of an entity. */
  readonly label?: string;
}

/** What the classes of `markedText` look like. */
export const MARKED_TEXT_STYLE = `
.expected, .predicted, .agreed, .mistyped { border-radius: .2rem; padding: 0 .1rem; }
.expected { background: color-mix(in srgb, #2f9e44 24%, transparent); border-bottom: 2px solid #2f9e44; }
.predicted { background: color-mix(in srgb, #e8590c 22%, transparent); border-bottom: 2px dashed #e8590c; }
.agreed { background: color-mix(in srgb, #1971c2 20%, transparent); border-bottom: 2px solid #1971c2; }
.mistyped { background: color-mix(in srgb, #9c36b5 20%, transparent); border-bottom: 2px dotted #9c36b5; }
sub { font-size: .68em; color: var(--muted); padding-left: .12rem; }
`;

/** Characters that are shown before and behind each mark of a long text. */
const CONTEXT = 60;
/** Shorter texts are shown whole. */
const WHOLE = 400;

/**
 * The text as HTML.
 * @param marks - may overlap; parts outside of the text are ignored.
 */
export function markedText(text: string, marks: readonly TextMark[] = []): Markup {
  const inside = marks
    .map(({ span, ...mark }) => ({ ...mark, start: clamp(span[0], text), end: clamp(span[1], text) }))
    .filter(({ start, end }) => start < end);
  const kept = text.length <= WHOLE ? [{ start: 0, end: text.length }] : excerpts(text, inside);
  const borders = new Set([0, text.length, ...inside.flatMap(({ start, end }) => [start, end])]);
  for (const { start, end } of kept) borders.add(start).add(end);
  const places = [...borders].sort((a, b) => a - b);
  const parts = places.slice(0, -1).map((start, i): Markup | undefined => {
    const end = places[i + 1] as number;
    const isKept = kept.some((part) => part.start <= start && end <= part.end);
    if (!isKept) return start === end ? undefined : html` … `;
    const over = inside.filter((mark) => mark.start <= start && end <= mark.end);
    const ending = over.filter((mark) => mark.end === end);
    return segment(text.slice(start, end), classOf(over), labelsOf(ending));
  });
  return html`<span lang="zh">${parts}</span>`;
}

function clamp(offset: number, text: string): number {
  return Math.min(Math.max(0, Math.trunc(offset) || 0), text.length);
}

/** The surroundings of the marks, where they touch as one; the beginning of a text without marks. */
function excerpts(text: string, marks: readonly { readonly start: number; readonly end: number }[]) {
  if (marks.length === 0) return [{ start: 0, end: characterEnd(text, WHOLE) }];
  const wanted = marks
    .map(({ start, end }) => ({
      start: characterStart(text, Math.max(0, start - CONTEXT)),
      end: characterEnd(text, Math.min(text.length, end + CONTEXT)),
    }))
    .sort((a, b) => a.start - b.start);
  const joined: { start: number; end: number }[] = [];
  for (const part of wanted) {
    const last = joined.at(-1);
    if (last !== undefined && part.start <= last.end) last.end = Math.max(last.end, part.end);
    else joined.push({ ...part });
  }
  return joined;
}

/** A pair of surrogates is not parted. */
function characterStart(text: string, offset: number): number {
  return isLow(text, offset) ? offset - 1 : offset;
}

function characterEnd(text: string, offset: number): number {
  return isLow(text, offset) ? offset + 1 : offset;
}

function isLow(text: string, offset: number): boolean {
  return offset > 0 && /[\udc00-\udfff]/.test(text[offset] ?? "") && /[\ud800-\udbff]/.test(text[offset - 1] ?? "");
}

function labelsOf(marks: readonly { readonly label?: string }[]): string {
  return [...new Set(marks.flatMap(({ label }) => (label === undefined ? [] : [label])))].join("/");
}

/** Where both are, they may be of different types. */
function classOf(marks: readonly Omit<TextMark, "span">[]): string | undefined {
  const [first] = marks;
  if (first === undefined || new Set(marks.map(({ kind }) => kind)).size === 1) return first?.kind;
  return new Set(marks.map(({ label }) => label)).size === 1 ? "agreed" : "mistyped";
}

function segment(text: string, className: string | undefined, labels: string): Markup {
  if (className === undefined) return html`${text}`;
  const label = labels === "" ? undefined : html`<sub>${labels}</sub>`;
  return html`<span class="${className}">${text}${label}</span>`;
}

/** Explanations as one HTML file: each text with its characters coloured by what they add to the score, and take from it. */
import type { SourceText } from "../tasks/explained/explained.ts";
import type { AttentionMaps } from "../tasks/pipeline/attention.ts";
import type { Explanation, TokenAttribution } from "../tasks/pipeline/explain.ts";
import { grayImage } from "./gray-image.ts";
import { html, type Markup, table } from "./html.ts";
import { type ReportOptions, reportPage } from "./page.ts";
import { grouped } from "./run-facts.ts";
import { writtenMetric } from "./values.ts";

/** An example, and what its scores come from. */
export interface ExplainedText {
  /** What it is made of: a text, a pair, a question and its passage. */
  readonly texts: readonly SourceText[];
  /** One for each score; none of a text that no entity was found in. */
  readonly explanations: readonly Explanation[];
  /** Shown beneath, where it is there: of each sequence that was read. */
  readonly attention?: readonly AttentionMaps[];
}

/** The explanations of one model. */
export interface ExplanationReportData {
  /** The model, as its user calls it. */
  readonly model: string;
  readonly texts: readonly ExplainedText[];
  /** Texts that were predicted, but are not in the report. */
  readonly leftOut?: number;
}

/** Writes the report of explanations. @returns the HTML document. */
export function explanationReport(
  { model, texts, leftOut = 0 }: ExplanationReportData,
  options: ReportOptions,
): string {
  const title = `Explanations: ${model}`;
  const [first] = texts;
  const body = html`<header><h1>${title}</h1>
<p class="lead">Integrated gradients: what each character adds to the score (<span class="adds">green</span>) or takes from it
(<span class="takes">red</span>), against texts of ${first?.explanations[0]?.baseline === "pad" ? "[PAD]" : "[MASK]"} alone. The
attributions sum up to the difference of the two scores but for the completeness error. A colour
is as strong as the character's part of the strongest one, however little that adds. A line is around the entity, answer or choice whose
score it is.${leftOut > 0 ? ` ${grouped(leftOut)} further texts are left out.` : ""}</p></header>
${texts.map(section)}`;
  return reportPage({ title, body, style: STYLE }, options);
}

const STYLE = `
.adds, .takes { border-radius: .2rem; padding: 0 .2rem; }
.adds { background: color-mix(in srgb, #2f9e44 45%, transparent); }
.takes { background: color-mix(in srgb, #e03131 45%, transparent); }
.explained { font-size: 1.35rem; line-height: 1.9; overflow-wrap: anywhere; max-width: none; white-space: pre-wrap; }
.explained span { border-radius: .15rem; }
.explained b { font-weight: inherit; outline: 2px solid #1971c2; outline-offset: 1px; border-radius: .15rem; }
.source { font-size: .75rem; color: var(--muted); margin: .4rem 0 0; }
.maps { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: .6rem; }
.maps figcaption { font-size: .75rem; color: var(--muted); padding: .15rem .35rem; }
.maps img { image-rendering: pixelated; aspect-ratio: 1; }
.means table { width: auto; font-size: .75rem; }
.means td, .means th { padding: .1rem .25rem; text-align: center; border: 0; }
summary { cursor: pointer; margin: .5rem 0; }
`;

function section({ texts, explanations, attention }: ExplainedText): Markup {
  const nothing = html`<h2>Nothing was found</h2><p class="explained" lang="zh">${texts[0]?.text}</p>\n`;
  return html`<section>${explanations.length === 0 ? nothing : explanations.map(explained)}
${attention === undefined ? "" : attentionSection(attention)}</section>\n`;
}

/** One score: its texts with their colours, and the numbers. */
function explained(explanation: Explanation): Markup {
  const { label, span, score, baselineScore, completenessError, steps, tokens, texts } = explanation;
  const largest = tokens.reduce((most, { attribution }) => Math.max(most, Math.abs(attribution)), 0);
  const written = (value: number) => (label === undefined ? value.toFixed(4) : writtenMetric("share", value));
  const strongest = [...tokens].sort((a, b) => Math.abs(b.attribution) - Math.abs(a.attribution)).slice(0, STRONGEST);
  const title = [...new Set([label, span?.text])].filter((part) => part !== undefined).join(" ") || "score";
  return html`<h2>${title}: ${written(score)}</h2>
${texts.map(({ name, text }, source) => {
  if (text === "") return "";
  const caption = texts.length === 1 ? "" : html`<p class="source">${name}</p>`;
  return html`${caption}<p class="explained" lang="zh">${coloured(text, explanation, source, largest)}</p>\n`;
})}
<p class="note">Baseline: ${written(baselineScore)}; ${steps} steps; completeness error ${completenessError.toPrecision(2)}.</p>
<details><summary>The strongest</summary>
${table(
  ["character", "at", "attribution"],
  strongest.map(({ text: own, start, source, attribution }) => [
    html`<span lang="zh">${own}</span>`,
    texts.length === 1 ? `${start}` : `${texts[source]?.name} ${start}`,
    attribution.toFixed(4),
  ]),
)}</details>\n`;
}

const STRONGEST = 12;

/** The text with the tokens' colours, the span that has the score with a line around; what belongs to no token has no colour. */
function coloured(text: string, { tokens, span }: Explanation, source: number, largest: number): Markup {
  const own = tokens.filter((token) => token.source === source);
  if (span?.source !== source) return html`${colouredPart(text, 0, text.length, own, largest)}`;
  const part = (from: number, to: number) => colouredPart(text, from, to, own, largest);
  return html`${part(0, span.start)}<b>${part(span.start, span.end)}</b>${part(span.end, text.length)}`;
}

/** A part of a text; tokens stand in one part alone. */
function colouredPart(
  text: string,
  from: number,
  to: number,
  tokens: readonly TokenAttribution[],
  largest: number,
): Markup[] {
  const parts: Markup[] = [];
  let done = from;
  for (const { start, end, attribution } of tokens) {
    if (start < done || end > to) continue;
    if (start > done) parts.push(html`${unread(text.slice(done, start))}`);
    const strength = largest === 0 ? 0 : Math.round((80 * Math.abs(attribution)) / largest);
    const color = attribution >= 0 ? "#2f9e44" : "#e03131";
    parts.push(
      html`<span style="background:color-mix(in srgb, ${color} ${strength}%, transparent)" title="${attribution.toFixed(4)}">${text.slice(start, end)}</span>`,
    );
    done = end;
  }
  if (done < to) parts.push(html`<span class="note">${unread(text.slice(done, to))}</span>`);
  return parts;
}

/** Characters of a passage that are shown on each side of what was not read. */
const UNREAD = 60;

/** A passage of any length around the window that was read. */
function unread(text: string): string {
  const all = [...text];
  if (all.length <= 2 * UNREAD) return text;
  return `${all.slice(0, UNREAD).join("")} … ${all.slice(-UNREAD).join("")}`;
}

/** A table of more tokens is wider than a page. */
const MAX_TABLE_TOKENS = 32;

/** Bytes of pictures of a text, one for each number of a map: a page of more loads slowly. */
const MAX_PICTURES = 48e6;

/** The maps of each sequence that was read, as many as there is room for. */
function attentionSection(maps: readonly AttentionMaps[]): Markup {
  let room = MAX_PICTURES;
  const shown = maps.filter(({ tokens, layers }, i) => {
    room -= tokens.length ** 2 * layers.reduce((sum, heads) => sum + heads.length, 0);
    return i === 0 || room >= 0;
  });
  const leftOut = maps.length - shown.length;
  return html`${shown.map((map, i) => sequenceMaps(map, maps.length === 1 ? "" : ` in sequence ${i + 1} of ${maps.length}`))}
${leftOut === 0 ? "" : html`<p class="note">The attention in ${leftOut} further sequences is left out.</p>`}`;
}

/** Each head's map as a picture, dark where a token attends much; and each layer's mean as a table where it fits. */
function sequenceMaps({ tokens, layers }: AttentionMaps, which: string): Markup {
  const size = tokens.length;
  return html`<details><summary>Attention${which}: ${layers.length} layers of ${layers[0]?.length ?? 0} heads, from ${size} tokens (rows) to ${size} (columns)</summary>
${which === "" ? "" : html`<p class="note" lang="zh">${unread(tokens.join(" "))}</p>`}
${layers.map(
  (heads, layer) => html`<h3>Layer ${layer + 1}</h3>
<div class="maps">${heads.map(
    (map, head) =>
      html`<figure><img src="${grayImage(map, size)}" alt="attention of layer ${layer + 1}, head ${head + 1}"><figcaption>head ${head + 1}: ${mostAttended(map, tokens)}</figcaption></figure>`,
  )}</div>
${size <= MAX_TABLE_TOKENS ? meanTable(heads, tokens) : ""}`,
)}</details>`;
}

/** The tokens that get the most attention, all in all. */
function mostAttended(map: Float32Array, tokens: readonly string[]): string {
  const size = tokens.length;
  const received = tokens.map((_, to) => {
    let sum = 0;
    for (let from = 0; from < size; from++) sum += map[from * size + to] as number;
    return sum / size;
  });
  const order = [...received.keys()].sort((a, b) => (received[b] as number) - (received[a] as number)).slice(0, 2);
  return order.map((at) => `${tokens[at]} ${writtenMetric("share", received[at] as number)}`).join(", ");
}

function meanTable(heads: readonly Float32Array[], tokens: readonly string[]): Markup {
  const size = tokens.length;
  const mean = (from: number, to: number) =>
    heads.reduce((sum, map) => sum + (map[from * size + to] as number), 0) / heads.length;
  return html`<details><summary>mean over heads</summary><div class="scroll means"><table>
<thead><tr><th></th>${tokens.map((token) => html`<th lang="zh">${token}</th>`)}</tr></thead>
<tbody>${tokens.map(
    (token, from) =>
      html`<tr><th lang="zh">${token}</th>${tokens.map((_, to) => {
        const share = mean(from, to);
        return html`<td style="background:color-mix(in srgb, var(--mark) ${Math.round(100 * share)}%, transparent)" title="${share.toFixed(3)}">${Math.round(100 * share)}</td>`;
      })}</tr>\n`,
  )}</tbody></table></div></details>`;
}

/** Explanations as one HTML file: each text with its characters coloured by what they add to the score, and take from it. */
import type { AttentionMaps, Explanation, TokenAttribution } from "../tasks/pipeline/explain.ts";
import { grayImage } from "./gray-image.ts";
import { html, type Markup, table } from "./html.ts";
import { type ReportOptions, reportPage } from "./page.ts";
import { grouped } from "./run-facts.ts";
import { writtenMetric } from "./values.ts";

/** A text or a pair, and what its score comes from. */
export interface ExplainedText {
  readonly text: string;
  readonly textPair?: string;
  readonly explanation: Explanation;
  /** Shown beneath, where it is there. */
  readonly attention?: AttentionMaps;
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
(<span class="takes">red</span>), against a text of ${first?.explanation.baseline === "pad" ? "[PAD]" : "[MASK]"} alone. The
attributions sum up to the difference of the two scores but for the completeness error.${
    leftOut > 0 ? ` ${grouped(leftOut)} further texts are left out.` : ""
  }</p></header>
${texts.map(section)}`;
  return reportPage({ title, body, style: STYLE }, options);
}

const STYLE = `
.adds, .takes { border-radius: .2rem; padding: 0 .2rem; }
.adds { background: color-mix(in srgb, #2f9e44 45%, transparent); }
.takes { background: color-mix(in srgb, #e03131 45%, transparent); }
.explained { font-size: 1.35rem; line-height: 1.9; overflow-wrap: anywhere; max-width: none; white-space: pre-wrap; }
.explained span { border-radius: .15rem; }
.maps { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: .6rem; }
.maps figcaption { font-size: .75rem; color: var(--muted); padding: .15rem .35rem; }
.maps img { image-rendering: pixelated; aspect-ratio: 1; }
.means table { width: auto; font-size: .75rem; }
.means td, .means th { padding: .1rem .25rem; text-align: center; border: 0; }
summary { cursor: pointer; margin: .5rem 0; }
`;

function section({ text, textPair, explanation, attention }: ExplainedText): Markup {
  const { label, score, baselineScore, completenessError, steps, tokens } = explanation;
  const largest = tokens.reduce((most, { attribution }) => Math.max(most, Math.abs(attribution)), 0);
  const sides = textPair === undefined ? [text] : [text, textPair];
  const written = (value: number) => (label === undefined ? value.toFixed(4) : writtenMetric("share", value));
  const strongest = [...tokens].sort((a, b) => Math.abs(b.attribution) - Math.abs(a.attribution)).slice(0, STRONGEST);
  return html`<section><h2>${label ?? "score"}: ${written(score)}</h2>
${sides.map((side, i) => html`<p class="explained" lang="zh">${coloured(side, tokens, i, largest)}</p>\n`)}
<p class="note">Baseline: ${written(baselineScore)}; ${steps} steps; completeness error ${completenessError.toPrecision(2)}.</p>
<details><summary>The strongest</summary>
${table(
  ["character", "at", "attribution"],
  strongest.map(({ text: own, start, side, attribution }) => [
    html`<span lang="zh">${own}</span>`,
    sides.length === 1 ? `${start}` : `${side === 0 ? "A" : "B"} ${start}`,
    attribution.toFixed(4),
  ]),
)}</details>
${attention === undefined ? "" : attentionSection(attention)}</section>\n`;
}

const STRONGEST = 12;

/** The text with the tokens' colours; what belongs to no token (spaces, what was cut off) has none. */
function coloured(text: string, tokens: readonly TokenAttribution[], side: number, largest: number): Markup[] {
  const parts: Markup[] = [];
  let done = 0;
  for (const { start, end, attribution } of tokens.filter((token) => token.side === side)) {
    if (start < done) continue;
    if (start > done) parts.push(html`${text.slice(done, start)}`);
    const strength = largest === 0 ? 0 : Math.round((80 * Math.abs(attribution)) / largest);
    const color = attribution >= 0 ? "#2f9e44" : "#e03131";
    parts.push(
      html`<span style="background:color-mix(in srgb, ${color} ${strength}%, transparent)" title="${attribution.toFixed(4)}">${text.slice(start, end)}</span>`,
    );
    done = end;
  }
  if (done < text.length) parts.push(html`<span class="note">${text.slice(done)}</span>`);
  return parts;
}

/** A table of more tokens is wider than a page. */
const MAX_TABLE_TOKENS = 32;

/** Each head's map as a picture, dark where a token attends much; and each layer's mean as a table where it fits. */
function attentionSection({ tokens, layers }: AttentionMaps): Markup {
  const size = tokens.length;
  return html`<details><summary>Attention: ${layers.length} layers of ${layers[0]?.length ?? 0} heads, from ${size} tokens (rows) to ${size} (columns)</summary>
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

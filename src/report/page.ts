/** The frame of every report: one HTML document that loads nothing, light or dark as the reader's system is. */
import { type HtmlValue, html, Markup } from "./html.ts";
import { REPORT_STYLE } from "./report-style.ts";

/** What stands in a report beside its subject. */
export interface ReportOptions {
  /** The program's version, for the foot of the page. */
  readonly version: string;
  /** Such as 2026-11-22. */
  readonly date: string;
}

/**
 * Writes a report as a document without scripts, links and pictures from elsewhere.
 * @param style - CSS of this kind of report, behind that of all.
 */
export function reportPage(
  { title, body, style = "" }: { readonly title: string; readonly body: HtmlValue; readonly style?: string },
  { version, date }: ReportOptions,
): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<style>${new Markup(REPORT_STYLE + style)}</style>
</head>
<body><main>
${body}
<footer>zhbert ${version}, ${date}</footer>
</main></body>
</html>
`.text;
}

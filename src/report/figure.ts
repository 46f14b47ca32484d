/** Pictures within a report. */
import { html, type Markup } from "./html.ts";

/**
 * A chart as an image, so that a browser for text shows its description instead of scattered labels.
 * @param description - what the chart shows, in words.
 */
export function svgFigure(svg: string, description: string): Markup {
  return html`<figure><img src="data:image/svg+xml;base64,${base64(shorter(svg))}" alt="${description}"></figure>\n`;
}

/** A hundredth of a pixel is enough. */
function shorter(svg: string): string {
  return svg.replace(/ d="[^"]*"/g, (path) => path.replace(/\d+\.\d{3,}/g, (number) => String(+(+number).toFixed(2))));
}

function base64(text: string): string {
  let binary = "";
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

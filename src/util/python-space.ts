/** White space as Python's str.strip() and str.isspace() see it: the programs whose files are read and matched are Python's. */

/** All below U+0100, then the others. */
const SPACES = new Set([
  ...[0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x85, 0xa0],
  ...[0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000],
  ...Array.from({ length: 11 }, (_, i) => 0x2000 + i),
]);

/** Whether a text is empty or white space alone. */
export function isBlank(text: string): boolean {
  return firstInk(text) === text.length;
}

/** The text without white space at its ends, as str.strip() gives it. */
export function strip(text: string): string {
  const start = firstInk(text);
  let end = text.length;
  while (end > start && SPACES.has(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

/** The place of the first character that is no white space. */
function firstInk(text: string): number {
  let at = 0;
  while (at < text.length && SPACES.has(text.charCodeAt(at))) at += 1;
  return at;
}

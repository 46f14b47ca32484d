/** Cleans a line of text from the web: character references, control characters, white space. */

/** Named character references that Chinese pages use; the others stay as they are. Source: HTML, 13.5. */
const NAMED: Readonly<Record<string, string>> = {
  ...{ amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: " ", ensp: " ", emsp: " ", thinsp: " ", shy: "" },
  ...{ ldquo: "“", rdquo: "”", lsquo: "‘", rsquo: "’", laquo: "«", raquo: "»", hellip: "…", mdash: "—", ndash: "–" },
  ...{ middot: "·", bull: "•", times: "×", divide: "÷", plusmn: "±", deg: "°", sect: "§", permil: "‰", micro: "µ" },
  ...{ copy: "©", reg: "®", trade: "™", yen: "¥", pound: "£", euro: "€", cent: "¢", larr: "←", rarr: "→" },
  ...{ le: "≤", ge: "≥", ne: "≠", zwnj: "", zwj: "", lrm: "", rlm: "" },
};
const REFERENCE = /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z]{2,8}));/g;

/** Control characters but tabs, and marks that no reader sees: zero width, direction, byte order, replacement. */
const INVISIBLE = /[\p{Cc}\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufff9-\uffff]/gu;
/** White space of any kind, the ideographic one too. */
const SPACES = /[^\S ]+| {2,}/gu;

/** Steps of cleaning, in their order. */
export const CLEANING_STEPS = ["references", "invisible", "spaces"] as const;
/** One of the steps of cleaning. */
export type CleaningStep = (typeof CLEANING_STEPS)[number];

const steps: Readonly<Record<CleaningStep, (line: string) => string>> = {
  references: (line) => (line.includes("&") ? line.replace(REFERENCE, decodeReference) : line),
  invisible: (line) => line.replace(INVISIBLE, (mark) => (mark === "\t" ? mark : "")),
  spaces: (line) => line.replace(SPACES, " ").trim(),
};

/**
 * The line with references as the characters they stand for (once: `&amp;lt;` becomes `&lt;`), without invisible
 * characters, and with one space for each run of white space.
 * @param onChange - called for each step that changes the line.
 */
export function cleanLine(line: string, onChange: (step: CleaningStep) => void = () => undefined): string {
  let cleaned = line;
  for (const step of CLEANING_STEPS) {
    const before = cleaned;
    cleaned = steps[step](before);
    if (cleaned !== before) onChange(step);
  }
  return cleaned;
}

function decodeReference(reference: string, decimal?: string, hexadecimal?: string, name?: string): string {
  if (name !== undefined) return Object.hasOwn(NAMED, name) ? (NAMED[name] as string) : reference;
  const code = decimal === undefined ? Number.parseInt(hexadecimal as string, 16) : Number(decimal);
  const isCharacter = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return isCharacter ? String.fromCodePoint(code) : reference;
}

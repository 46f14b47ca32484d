/** The characters that a Chinese vocabulary holds whatever its corpus: both scripts' common ones and Chinese typography. */

/** Rows of GB 2312 that hold symbols and letters: lead byte, then pairs of first and last trail byte. */
const SYMBOL_ROWS: readonly (readonly number[])[] = [
  [0xa1, 0xa1, 0xfe],
  [0xa2, 0xb1, 0xe2, 0xe5, 0xee, 0xf1, 0xfc],
  [0xa3, 0xa1, 0xfe],
  [0xa4, 0xa1, 0xf3],
  [0xa5, 0xa1, 0xf6],
  [0xa6, 0xa1, 0xb8, 0xc1, 0xd8],
  [0xa7, 0xa1, 0xc1, 0xd1, 0xf1],
  [0xa8, 0xa1, 0xba, 0xc5, 0xe9],
  [0xa9, 0xa4, 0xef],
];
const FIRST_HANZI_ROW = 0xb0;
const LAST_HANZI_ROW = 0xf7;
/** The row where the characters of level 1 end. */
const LEVEL_1_END = { lead: 0xd7, trail: 0xf9 };

/** Marks that Chinese text uses beside those of GB 2312: other widths, other sides, middle dots and dashes. */
const FURTHER_PUNCTUATION = "﹁﹂﹃﹄﹏﹑﹔﹕﹖﹗﹐﹒–―‐‑•‧・〜〝〞〟｢｣｡､＂＇￥¥€£¢°‰※№℃™©®×÷±≈≠≤≥→←↑↓∞√∑";

/** The 7,445 characters of GB 2312-80: 6,763 Chinese ones and 682 symbols and letters. */
export function gb2312Characters(): string[] {
  const bytes: number[] = [];
  const addRange = (lead: number, first: number, last: number) => {
    for (let trail = first; trail <= last; trail++) bytes.push(lead, trail);
  };
  for (const [lead, ...ranges] of SYMBOL_ROWS) {
    for (let i = 0; i < ranges.length; i += 2) addRange(lead as number, ranges[i] as number, ranges[i + 1] as number);
  }
  for (let lead = FIRST_HANZI_ROW; lead <= LAST_HANZI_ROW; lead++) {
    addRange(lead, 0xa1, lead === LEVEL_1_END.lead ? LEVEL_1_END.trail : 0xfe);
  }
  return Array.from(new TextDecoder("gb18030").decode(Uint8Array.from(bytes)));
}

/** The 5,401 frequently used characters of Big5: what schools and papers in traditional script need. */
export function big5FrequentCharacters(): string[] {
  const bytes: number[] = [];
  for (let lead = 0xa4; lead <= 0xc6; lead++) {
    for (let trail = 0x40; trail <= (lead === 0xc6 ? 0x7e : 0xfe); trail++) {
      if (trail <= 0x7e || trail >= 0xa1) bytes.push(lead, trail);
    }
  }
  return Array.from(new TextDecoder("big5").decode(Uint8Array.from(bytes)));
}

/** Printable ASCII, GB 2312, the frequent traditional characters and the further punctuation of Chinese text. */
export function chineseCharacters(): string[] {
  const ascii = Array.from({ length: 0x7f - 0x21 }, (_, i) => String.fromCharCode(0x21 + i));
  return [...ascii, ...gb2312Characters(), ...big5FrequentCharacters(), ...FURTHER_PUNCTUATION];
}

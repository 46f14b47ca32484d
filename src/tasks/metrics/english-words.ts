/**
 * English words as nltk.word_tokenize cuts them, for metrics that were published with it. The text is taken as one sentence:
 * nltk cuts it into sentences first, by a trained model, which only sets full stops inside a text apart.
 * Source: nltk 3.10 (NLTKWordTokenizer), rule by rule; it goes back to Robert MacIntyre's tokenizer of the Penn Treebank.
 */

/** White space as nltk's regular expressions have it (JavaScript's has U+FEFF and lacks U+0085); words end at U+001C-1F too. */
const SPACE = String.raw`\p{White_Space}`;
const SEPARATORS = String.raw`\x1c-\x1f`;
const BETWEEN_WORDS = new RegExp(`[${SPACE}${SEPARATORS}]+`, "u");
const WORD = String.raw`[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]`;
const EDGE = `(?:(?<=${WORD})(?!${WORD})|(?<!${WORD})(?=${WORD}))`;
/** Python's `$` also stands before a last line feed. */
const END = String.raw`(?=\n?$)`;

type Rule = readonly [pattern: RegExp, replacement: string];

const OPENING_QUOTES: readonly Rule[] = [
  [/([«“‘„]|`+)/gu, " $1 "],
  [/^"/gu, "``"],
  [/(``)/gu, " $1 "],
  [/([ ([{<])("|'{2})/gu, "$1 `` "],
  [new RegExp(`(?<!${WORD})(')(?!(?:re|ve|ll|m|t|s|d|n)${EDGE})(?=${WORD})`, "giu"), "$1 "],
];

const PUNCTUATION: readonly Rule[] = [
  // The look-ahead takes a run once for all, so that many spaces do not take the square of their time.
  [new RegExp(String.raw`([^.])(\.)(?=([\])}>"'»”’ ]*))\3${SPACE}*${END}`, "gu"), "$1 $2 $3 "],
  [/([:,])([^\p{Nd}])/gu, " $1 $2"],
  [new RegExp(`([:,])${END}`, "gu"), " $1 "],
  [/\.{2,}/gu, " $& "],
  [/[;@#$%&]/gu, " $& "],
  [/[\u2012-\u2015]/gu, " $& "],
  [new RegExp(String.raw`([^.])(\.)([\])}>"']*)${SPACE}*${END}`, "gu"), "$1 $2$3 "],
  [/[?!]/gu, " $& "],
  [/([^'])' /gu, "$1 ' "],
  [/\*/gu, " $& "],
  [/[\][(){}<>]/gu, " $& "],
  [/--/gu, " -- "],
];

const CLOSING_QUOTES: readonly Rule[] = [
  [/([»”’])/gu, " $1 "],
  [/''/gu, " '' "],
  [/"/gu, " '' "],
  [new RegExp(`${SPACE}+`, "gu"), " "],
  [/([^' ])('[sS]|'[mM]|'[dD]|') /gu, "$1 $2 "],
  [/([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) /gu, "$1 $2 "],
];

/** Made when they are first needed: expressions that are put together take longer than those that are written. */
let contractions: readonly Rule[] | undefined;

function contractionRules(): readonly Rule[] {
  const pairOf = (first: string, second: string, after = EDGE): Rule => [
    new RegExp(`${EDGE}(${first})(${second})${after}`, "giu"),
    " $1 $2 ",
  ];
  return [
    pairOf("can", "not"),
    pairOf("d", "'ye"),
    pairOf("gim", "me"),
    pairOf("gon", "na"),
    pairOf("got", "ta"),
    pairOf("lem", "me"),
    pairOf("more", "'n"),
    pairOf("wan", "na", `(?=${SPACE})`),
    [new RegExp(` ('t)(is)${EDGE}`, "giu"), " $1 $2 "],
    [new RegExp(` ('t)(was)${EDGE}`, "giu"), " $1 $2 "],
  ];
}

/** The words and marks of an English sentence: `don't` gives `do` and `n't`, a straight quote gives ` `` ` or `''`. */
export function englishWords(sentence: string): string[] {
  const apart = applyRules(sentence, [...OPENING_QUOTES, ...PUNCTUATION]);
  contractions ??= contractionRules();
  const text = applyRules(` ${apart} `, [...CLOSING_QUOTES, ...contractions]);
  return text.split(BETWEEN_WORDS).filter((word) => word !== "");
}

function applyRules(text: string, rules: readonly Rule[]): string {
  return rules.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), text);
}

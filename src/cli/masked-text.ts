/** Masked samples as people read them: words parted, tokens to predict marked, and what the samples come to. */
import colors from "picocolors";
import type { MaskedSample } from "../data/mask-sample.ts";
import type { Vocabulary } from "../text/vocabulary.ts";
import { inPercent } from "../util/percent.ts";

const WORD_BORDER = "|";

/** What the marks of {@link renderSample} mean. */
export function legend(): string {
  const border = colors.dim(WORD_BORDER);
  const kinds = [paintMask("字", "[MASK]"), paintMask("字", "词"), paintMask("字", "字")] as const;
  return `${border} between words; ${kinds[0]} masked, ${kinds[1]} replaced by another, ${kinds[2]} kept but predicted`;
}

/** The tokens of a sample, words parted by a border, tokens to predict as `[original→what the model sees]`. */
export function renderSample({ instance }: Pick<MaskedSample, "instance">, vocabulary: Vocabulary): string {
  const labels = new Map(Array.from(instance.maskedLmPositions, (position, i) => [position, instance.maskedLmIds[i]]));
  const words: string[] = [];
  for (let i = 1; i < instance.inputIds.length - 1; i++) {
    const seen = vocabulary.token(instance.inputIds[i] as number);
    const label = labels.get(i);
    const original = label === undefined ? seen : vocabulary.token(label);
    const shown = label === undefined ? seen : paintMask(original, seen);
    if (instance.wordStarts[i] === 1 || words.length === 0) words.push(shown);
    else words[words.length - 1] += original.startsWith("##") ? ` ${shown}` : shown;
  }
  return words.join(colors.dim(WORD_BORDER));
}

function paintMask(original: string, seen: string): string {
  const text = `[${original}→${seen === "[MASK]" ? "MASK" : seen}]`;
  if (seen === "[MASK]") return colors.red(text);
  return seen === original ? colors.cyan(text) : colors.yellow(text);
}

/** What a number of samples come to. */
export class SampleTotals {
  #samples = 0;
  #tokens = 0;
  #words = 0;
  #predicted = 0;
  #masked = 0;
  #kept = 0;
  #unknown = 0;
  #unaligned = 0;

  add({ instance, unknownTokens, unalignedLines }: MaskedSample, vocabulary: Vocabulary): void {
    const { inputIds, wordStarts, maskedLmPositions, maskedLmIds } = instance;
    this.#samples += 1;
    this.#tokens += inputIds.length;
    this.#words += wordStarts.reduce((sum, start) => sum + start, 0) - 2;
    this.#predicted += maskedLmPositions.length;
    maskedLmPositions.forEach((position, i) => {
      if (inputIds[position] === vocabulary.ids.mask) this.#masked += 1;
      else if (inputIds[position] === maskedLmIds[i]) this.#kept += 1;
    });
    this.#unknown += unknownTokens;
    this.#unaligned += unalignedLines > 0 ? 1 : 0;
  }

  /** The counts, in three lines. */
  describe(): string {
    const rate = inPercent(this.#predicted / this.#tokens);
    const replaced = this.#predicted - this.#masked - this.#kept;
    return [
      `${this.#samples} samples, ${this.#tokens} tokens with [CLS] and [SEP], ${this.#words} words`,
      `to predict: ${this.#predicted} (${rate} %): ${this.#masked} [MASK], ${replaced} replaced, ${this.#kept} kept`,
      `unaligned, masked by character: ${this.#unaligned}; [UNK] tokens: ${this.#unknown}`,
    ].join("\n");
  }
}

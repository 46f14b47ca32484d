/** What belongs together when masks are drawn: the one interface, and its forms that need no more than the sequence. */

/** Units of a sequence, ascending and apart: unit i holds the tokens [starts[i], ends[i]). */
export interface Units {
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

/** A sequence whose units are wanted. */
export interface MaskableSequence {
  /** int32, of which the first `length` count. */
  readonly ids: Int32Array;
  /** uint8; 1 where a word begins. */
  readonly wordStarts: Uint8Array;
  readonly length: number;
  /** uint8 [vocabulary]; 1 for tokens that are in no unit, and end one. */
  readonly isSpecial: Uint8Array;
}

/** Writes the units of a sequence. @returns their number. */
export type FindUnits = (sequence: MaskableSequence, units: Units) => number;

/** Each token is a unit. */
export const tokenUnits: FindUnits = ({ ids, length, isSpecial }, { starts, ends }) => {
  let count = 0;
  for (let i = 0; i < length; i++) {
    if (isSpecial[ids[i]!] === 1) continue;
    starts[count] = i;
    ends[count++] = i + 1;
  }
  return count;
};

/** Each word is a unit. */
export const wordUnits: FindUnits = ({ ids, wordStarts, length, isSpecial }, { starts, ends }) => {
  let count = 0;
  let isOpen = false;
  for (let i = 0; i < length; i++) {
    if (isSpecial[ids[i]!] === 1) {
      isOpen = false;
      continue;
    }
    if (!isOpen || wordStarts[i] === 1) starts[count++] = i;
    ends[count - 1] = i + 1;
    isOpen = true;
  }
  return count;
};

/** No unit, so that nothing is masked. */
export const noUnits: FindUnits = () => 0;

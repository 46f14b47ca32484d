/** Counts with what they count, as people read them. */

const numbers = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

/** A count and its noun, which takes an s where it is not one: `1 epoch`, `2.5 epochs`, `3,000 updates`. */
export function several(count: number, what: string): string {
  const number = numbers.format(count);
  return `${number} ${what}${number === "1" ? "" : "s"}`;
}

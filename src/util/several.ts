/** Counts with what they count, as people read them. */

/** Made when it is first needed: it takes 10 ms. */
let numbers: Intl.NumberFormat | undefined;

/** A count and its noun, which takes an s where it is not one: `1 epoch`, `2.5 epochs`, `3,000 updates`. */
export function several(count: number, what: string): string {
  numbers ??= new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
  const number = numbers.format(count);
  return `${number} ${what}${number === "1" ? "" : "s"}`;
}

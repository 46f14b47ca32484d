/** Options as people leave them open. */

/** The entries that are not undefined: what was not given keeps the default of whoever takes the options. */
export function given<T extends object>(options: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as never;
}

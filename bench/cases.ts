/** Which settings a benchmark is run with. */
import type { Bench, Settings } from "./bench.ts";

/** All settings of a benchmark where no case says otherwise. @param given - by the command line. */
export function defaultsOf({ settings }: Bench, given: Settings): Settings {
  return Object.fromEntries(Object.entries(settings).map(([name, [value]]) => [name, given[name] ?? value]));
}

/** The cases of a benchmark: what the command line gives is fixed in all of them, and cases that are then alike are one. */
export function casesOf(bench: Bench, given: Settings): Settings[] {
  const swept = Object.entries(bench.sweeps ?? {}).flatMap(([name, values]) =>
    values.map((value): Settings => ({ [name]: value })),
  );
  const own = bench.cases ?? (swept.length > 0 ? swept : [{}]);
  const defaults = defaultsOf(bench, given);
  const known = Object.fromEntries(Object.keys(defaults).map((name) => [name, given[name]]));
  const fixed = Object.fromEntries(Object.entries(known).filter(([, value]) => value !== undefined)) as Settings;
  const all = own.map((one) => ({ ...defaults, ...one, ...fixed }));
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}

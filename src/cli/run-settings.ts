/** Options of `zhbert finetune` as protocols and searches give them: by name, with values of YAML. */
import { ArgumentError, nearest, UsageError, verbatim, type ZhbertError } from "../errors.ts";
import type { FineTuneOptionsOf } from "../node/protocol-cell.ts";
import type { OptionValue } from "../tasks/protocol/protocol.ts";
import type { ReadOption } from "../tasks/protocol/protocol-file.ts";
import type { CommandOption } from "./command.ts";
import { fineTuneOptions, fineTuningOf } from "./finetune-options.ts";
import { longName } from "./run-options.ts";

/** What a protocol says elsewhere. */
const NOT_OF_A_RUN = ["model", "output", "runs", "overwrite", "seed"];

/** The options of a run by every long name that they have. */
const byName = new Map(
  fineTuneOptions
    .filter((option) => !NOT_OF_A_RUN.includes(longName(option)))
    .flatMap((option) =>
      [...option.flags.matchAll(/--([a-z0-9-]+)/g)].map(([, name = ""]) => [camelCased(name), option]),
    ),
) as ReadonlyMap<string, CommandOption>;

function camelCased(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Checks an option as the command line would; gives its last name, by which `fineTuningOf` knows it. */
export const readRunOption: ReadOption = (name, value, where) => {
  const option = byName.get(name);
  if (option === undefined) {
    const near = nearest(name, byName.keys());
    throw new UsageError({
      where,
      expected: "an option of zhbert finetune that a single run can have",
      got: name,
      hint:
        near === undefined
          ? "zhbert finetune --help lists them; --threads, --runtime and --precision are options of this command"
          : `did you mean ${near}?`,
    });
  }
  parsedValue(option, value, where);
  return camelCased(longName(option));
};

/** The value as the command line's parser makes it. */
function parsedValue(option: CommandOption, value: OptionValue, where: string): unknown {
  const takesValue = option.flags.includes("<");
  if (!takesValue || typeof value === "boolean") {
    if (takesValue !== (typeof value === "boolean")) return value;
    throw new UsageError({ where, expected: takesValue ? "a value" : "true or false", got: value });
  }
  if (option.choices !== undefined && !option.choices.includes(String(value))) {
    const hint = nearest(String(value), option.choices);
    throw new UsageError({
      where,
      expected: `one of ${option.choices.join(", ")}`,
      got: value,
      ...(hint === undefined ? {} : { hint: `did you mean ${hint}?` }),
    });
  }
  try {
    return option.parse === undefined ? String(value) : option.parse(String(value));
  } catch (error) {
    const { message, hint } = error as ZhbertError;
    throw new UsageError({ where, expected: "a value of this option", got: verbatim(`${value} (${message})`), hint });
  }
}

/** The options of a run as the library takes them. */
export const runOptionsOf: FineTuneOptionsOf = (task, values) => {
  const options = Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => {
      const option = byName.get(name);
      if (option === undefined) {
        throw new ArgumentError({ where: name, expected: "an option of zhbert finetune", got: name });
      }
      return value === false ? [] : [[name, parsedValue(option, value, name)]];
    }),
  );
  const { model, output, ...run } = fineTuningOf({ ...options, model: "model", output: "output" }, task);
  return run;
};

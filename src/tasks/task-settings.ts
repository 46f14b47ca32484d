/** What each setting of a task may be: task.json is edited by people, and may come from anywhere. */
import { ConfigError } from "../errors.ts";
import type { TaskSettings } from "./task.ts";

/** What a setting may be. */
export interface SettingRule {
  /** In words, for messages. */
  readonly expected: string;
  holds(value: unknown): boolean;
  /** Whether it may not be left out; false when left out. */
  readonly isRequired?: boolean;
}

/** A rule for every setting of a task. */
export type SettingRules<Settings extends TaskSettings> = {
  readonly [Name in Exclude<keyof Settings, "task">]-?: SettingRule;
};

/** Guards against hostile files: no task has nearly as many. */
const MAX_LABELS = 1 << 16;
/** [CLS], [SEP] twice, and a token. */
const LEAST_TOKENS = 4;

/** A whole number. @param to - open when left out. */
export function whole(from: number, to = Number.MAX_SAFE_INTEGER): SettingRule {
  const expected = `a whole number ${to === Number.MAX_SAFE_INTEGER ? `from ${from} on` : `in ${from} .. ${to}`}`;
  return { expected, holds: (value) => Number.isSafeInteger(value) && isWithin(value as number, from, to) };
}

/** A number, not infinite, for which something holds. @param expected - in words: `a number above 0`. */
export function number(expected = "a number", isMeant: (value: number) => boolean = () => true): SettingRule {
  return { expected, holds: (value) => isNumber(value) && isMeant(value) };
}

/** One of some values. */
export function oneOf(choices: readonly (string | boolean)[]): SettingRule {
  const expected = choices.length > 2 ? `one of ${choices.join(", ")}` : choices.join(" or ");
  return { expected, holds: (value) => (choices as readonly unknown[]).includes(value) };
}

/** True or false. */
export const truth: SettingRule = oneOf([true, false]);

/** Two numbers, the lower one first. */
export const numberRange: SettingRule = {
  expected: "the lowest and the highest score",
  holds: (value) =>
    Array.isArray(value) && value.length === 2 && value.every(isNumber) && (value[0] as number) < (value[1] as number),
};

/** Different texts. */
const labels: SettingRule = {
  expected: `a list of up to ${MAX_LABELS} different texts`,
  holds: (value) =>
    Array.isArray(value) &&
    value.length <= MAX_LABELS &&
    value.every((label) => typeof label === "string") &&
    new Set(value).size === value.length,
};

/** What every task has; long texts are cut. */
export const commonRules: SettingRules<TaskSettings> = {
  maxSeqLength: { ...whole(LEAST_TOKENS), isRequired: true },
  labels,
  layerMix: truth,
  longTexts: oneOf(["truncate"]),
};

/** Of tasks that can score a single text by its windows. */
export const windowRules: SettingRules<TaskSettings> = {
  ...commonRules,
  longTexts: oneOf(["truncate", "windows"]),
};

/** Of tasks that read everything in windows of their own. */
export const readingRules: SettingRules<TaskSettings> = {
  ...commonRules,
  longTexts: { expected: "nothing, as every text is read to its end in windows", holds: () => false },
};

/** A rule for what may not be left out. */
export function required(rule: SettingRule): SettingRule {
  return { ...rule, isRequired: true };
}

/**
 * Settings that keep the rules.
 * @param where - names them in messages.
 * @throws {ConfigError} at the first one that does not.
 */
export function checkSettings<Settings extends TaskSettings>(
  settings: Settings,
  rules: SettingRules<Settings>,
  where: string = settings.task,
): Settings {
  for (const [name, { expected, holds, isRequired = false }] of Object.entries<SettingRule>(rules)) {
    const value = (settings as unknown as Readonly<Record<string, unknown>>)[name];
    if (value === undefined ? isRequired : !holds(value)) {
      throw new ConfigError({ where: `${where}: ${name}`, expected, got: value });
    }
  }
  return settings;
}

function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function isWithin(value: number, from: number, to: number): boolean {
  return value >= from && value <= to;
}

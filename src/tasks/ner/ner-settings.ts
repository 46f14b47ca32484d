/** The settings of tagging: labels and scheme as the data has them, what plain text is cut into, how tags are decoded. */
import { ConfigError, DataError, verbatim } from "../../errors.ts";
import { addedTokenCount } from "../../text/encoding.ts";
import type { TaggedExample } from "../examples.ts";
import { inferLabels } from "../records/labels.ts";
import { commonSettings } from "../sequence-task.ts";
import type { TaskChoices, TaskSettings } from "../task.ts";
import { oneOf, readingRules, type SettingRules, truth, whole } from "../task-settings.ts";
import { detectScheme, TAG_SCHEMES, type TagScheme, tagsOf, type WrittenScheme } from "./tag-schemes.ts";
import { type UnitKind, unitKindOf } from "./text-units.ts";

/** The schemes of a model's labels. */
export const LABEL_SCHEMES = ["IOB2", "IOBES", "BILOU", "BMES", "words", "plain"] as const;
/** IOB2 and IOBES are also called BIO and BIOES; words: segmentation; plain: parts of speech. */
export type LabelScheme = (typeof LABEL_SCHEMES)[number];

/** What plain text may be cut into. */
const UNIT_KINDS: readonly UnitKind[] = ["characters", "runs", "words"];

/** What a tagging model is trained and decodes by. */
export interface TaggingSettings extends TaskSettings {
  /** How its labels say where entities begin and end; by the labels when left out. */
  readonly scheme?: LabelScheme;
  /** The scheme of the training data where it is read as another one. */
  readonly dataScheme?: TagScheme;
  /**
   * What text without units is cut into: as the training data; when left out, characters, with runs of Latin letters
   * and of digits whole.
   */
  readonly units?: UnitKind;
  /** Whether only tags may follow one another that the scheme allows; false when left out. */
  readonly constrained?: boolean;
  /** Whether a conditional random field over the labels is trained and decodes; false when left out. */
  readonly crf?: boolean;
  /** Tokens that windows over a long text share; 64, or a quarter of a window where that is less. */
  readonly windowOverlap?: number;
}

/** Settings with nothing left out but what has its own default elsewhere. */
export type CompleteTaggingSettings = TaggingSettings &
  Required<Pick<TaggingSettings, "labels" | "scheme" | "units" | "constrained" | "crf">>;

/**
 * The settings that follow from tagged examples.
 * @param choices - `labels` may be entity types, as data sets list them, or tags.
 * @throws {DataError} when no example has tags, or all have the same one.
 */
export function settleTagging(
  examples: Iterable<TaggedExample>,
  choices: TaskChoices<TaggingSettings>,
): TaggingSettings {
  const tagged = [...examples].filter(({ tags }) => tags !== undefined && tags.length > 0);
  const data = detectScheme(tagged.map(({ tags }) => tags as readonly string[]));
  const scheme = choices.scheme ?? labelScheme(data);
  const tags = new Set(tagged.flatMap(({ tags: own }) => own as readonly string[]));
  if (tags.size < 2 && choices.labels === undefined) {
    throw new DataError({
      where: "training data",
      expected: "examples with tags of at least two kinds",
      got: verbatim(tags.size === 0 ? "no tags" : `only "${[...tags]}"`),
      hint: "each unit needs a tag: O where it belongs to nothing",
    });
  }
  const { constrained, crf, windowOverlap } = choices;
  return {
    ...commonSettings("ner", choices),
    labels: labelsOf(choices.labels ?? [...tags], scheme),
    scheme,
    units: choices.units ?? unitKindOf(tagged),
    ...(data === scheme ? {} : { dataScheme: data }),
    ...(constrained === undefined ? {} : { constrained }),
    ...(crf === undefined ? {} : { crf }),
    ...(windowOverlap === undefined ? {} : { windowOverlap }),
  };
}

/** Schemes in which a type has no tag of its own for its first unit are learned as IOB2. */
function labelScheme(scheme: TagScheme): LabelScheme {
  return scheme === "IOB1" || scheme === "IOE1" || scheme === "IOE2" ? "IOB2" : scheme;
}

/** O, then every tag that the scheme has for each type: also those that training happens to lack. */
function labelsOf(given: readonly string[], scheme: LabelScheme): string[] {
  if (scheme === "plain") return inferLabels(given);
  if (scheme === "words") return ["B", "M", "E", "S"];
  const areTags = given.includes("O") || given.every((name) => TAG.test(name));
  const types = areTags ? inferLabels(given.filter((tag) => tag !== "O").map(typeOf)) : given;
  return ["O", ...types.flatMap((type) => tagsOfType(type, scheme))];
}

const TAG = /^[BIESLUM](?:-|$)/u;

function typeOf(tag: string): string {
  return tag.slice(2) || "_";
}

function tagsOfType(type: string, scheme: WrittenScheme): string[] {
  const whole = tagsOf([{ type, start: 0, end: 3 }], 3, scheme);
  const single = tagsOf([{ type, start: 0, end: 1 }], 1, scheme);
  return [...new Set([...whole, ...single])];
}

/** What the settings may be. */
export const taggingRules: SettingRules<TaggingSettings> = {
  ...readingRules,
  scheme: oneOf(LABEL_SCHEMES),
  dataScheme: oneOf(TAG_SCHEMES),
  units: oneOf(UNIT_KINDS),
  constrained: truth,
  crf: truth,
  windowOverlap: whole(0),
};

/**
 * The settings with their defaults; those of a model from elsewhere have nothing but labels.
 * @throws {ConfigError} when they do not fit each other.
 */
export function completeTagging(settings: TaggingSettings): CompleteTaggingSettings {
  const { labels, constrained = false, crf = false, units = "runs" } = settings;
  if (labels === undefined || labels.length < 2) {
    throw new ConfigError({ where: "ner: labels", expected: "two tags or more", got: labels });
  }
  const scheme = settings.scheme ?? labelScheme(detectScheme([labels, ...labels.map((label) => [label])]));
  const { maxSeqLength, windowOverlap = 0 } = settings;
  const room = maxSeqLength - addedTokenCount(1);
  if (windowOverlap >= room) {
    const expected = `at most ${room - 1}, below the tokens of a window`;
    throw new ConfigError({ where: "ner: windowOverlap", expected, got: windowOverlap });
  }
  return { ...settings, labels, scheme, units, constrained, crf };
}

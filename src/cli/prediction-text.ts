/** Predictions as people read them in a terminal: labels with their probabilities, entities in their texts, answers in their passages. */
import colors from "picocolors";
import { inPercent } from "../util/percent.ts";
import { harmless } from "./output.ts";

/** What `predict --json` prints, whatever the task. */
export type PredictionResult = Readonly<Record<string, unknown>>;

interface Labelled {
  readonly label: string;
  readonly score: number;
}

interface Entity {
  readonly entity: string;
  readonly start: number;
  readonly end: number;
}

/** The lines for a result. @param example - what was predicted from. */
export function predictionText(example: PredictionResult, result: PredictionResult): string {
  const { labels, entities, answer, choices, score } = result;
  if (Array.isArray(entities)) return entityText(String(result["text"] ?? example["text"] ?? ""), entities);
  if (typeof answer === "string") return answerText(example, result);
  if (Array.isArray(choices)) return choiceText(example, choices);
  const text = shownTexts(example);
  const predicted = Array.isArray(result["predicted"]) ? (result["predicted"] as string[]) : undefined;
  if (Array.isArray(labels)) return `${labelText(labels, predicted)}  ${text}`;
  if (typeof score === "number") return `${colors.bold(score.toFixed(4))}  ${text}`;
  return JSON.stringify(result);
}

function shownTexts({ text, textPair }: PredictionResult): string {
  const texts = [text, textPair].filter((one) => typeof one === "string");
  return harmless(texts.join(colors.dim(" ||| ")));
}

/** @param predicted - of several labels at once those that hold; else the first one does. */
function labelText(labels: readonly Labelled[], predicted = labels.slice(0, 1).map(({ label }) => label)): string {
  if (labels.length === 0) return colors.dim("no label");
  const shown = labels.map(({ label, score }) => {
    const text = `${harmless(label)} ${percent(score)}`;
    return predicted.includes(label) ? colors.bold(text) : colors.dim(text);
  });
  return shown.join(", ");
}

const ENTITY_COLORS = [colors.cyan, colors.green, colors.yellow, colors.magenta, colors.blue, colors.red];

/** `他在[北京 LOC]工作`, each type in a colour of its own. */
function entityText(text: string, entities: readonly Entity[]): string {
  const types = new Map<string, (text: string) => string>();
  let [shown, done] = ["", 0];
  for (const { entity, start, end } of [...entities].sort((a, b) => a.start - b.start)) {
    // Of entities that overlap the first one is shown.
    if (start < done) continue;
    shown += harmless(text.slice(done, start));
    shown += colorOf(entity, types)(`[${colors.bold(harmless(text.slice(start, end)))} ${harmless(entity)}]`);
    done = end;
  }
  return shown + harmless(text.slice(done));
}

/** By the letters of the type, so that it has the same colour on every line. */
function colorOf(entity: string, known: Map<string, (text: string) => string>): (text: string) => string {
  let color = known.get(entity);
  if (color === undefined) {
    const sum = [...entity].reduce((total, character) => ((total * 31) % 65_521) + (character.codePointAt(0) ?? 0), 7);
    color = ENTITY_COLORS[sum % ENTITY_COLORS.length] as (text: string) => string;
    known.set(entity, color);
  }
  return color;
}

function answerText({ question }: PredictionResult, result: PredictionResult): string {
  const [best, ...others] = (result["answers"] ?? [result]) as readonly { answer: string; score: number }[];
  const shown = ({ answer, score }: { answer: string; score: number }, paint: (text: string) => string) =>
    `${answer === "" ? "no answer in the passage" : paint(harmless(answer))} ${percent(score)}`;
  const answers = [best === undefined ? "" : shown(best, colors.bold), ...others.map((one) => shown(one, colors.dim))];
  return `${harmless(String(question ?? ""))} ${colors.dim("→")} ${answers.join(", ")}`;
}

function choiceText({ question }: PredictionResult, choices: readonly { choice: string; score: number }[]): string {
  const shown = choices.map(({ choice, score }, i) => {
    const text = `${harmless(choice)} ${percent(score)}`;
    return i === 0 ? colors.bold(text) : colors.dim(text);
  });
  return `${harmless(String(question ?? ""))} ${colors.dim("→")} ${shown.join(", ")}`;
}

function percent(score: number): string {
  return `${inPercent(score)} %`;
}

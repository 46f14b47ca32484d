/** C3: questions of language examinations about dialogues (d) and other texts (m), with two to four answers to choose from. */
import { DataError } from "../../errors.ts";
import type { ChoiceExample } from "../examples.ts";
import { parseJson } from "../records/parse-json.ts";
import { defineDataset, type ReadExamples } from "./dataset.ts";

/** A list of [paragraphs, questions, id]. */
export const c3 = defineDataset({
  name: "c3",
  title: "C3",
  task: "choice",
  source:
    "Sun et al. 2020, Investigating Prior Knowledge for Challenging Chinese Machine Reading Comprehension (TACL); nlpdata/c3",
  licence: "for non-commercial research",
  splits: {
    train: { files: filesOf("train"), count: 11_869 },
    dev: { files: filesOf("dev"), count: 3816 },
    test: { files: filesOf("test"), count: 3892 },
  },
  read: ({ path, text }): ReadExamples<ChoiceExample> => {
    const json = parseJson(text, path);
    if (!Array.isArray(json)) throw damaged(path, "a list of documents", json);
    return { examples: json.flatMap((document, i) => questionsOf(document, `${path} document ${i + 1}`)) };
  },
  primaryMetric: "accuracy",
  maxSeqLength: 512,
});

function filesOf(split: string): (string | string[])[] {
  return [
    [`c3-m-${split}.json`, `c3-d-${split}.json`],
    [`m-${split}.json`, `d-${split}.json`],
    `c3-m-${split}.json`,
    `c3-d-${split}.json`,
  ];
}

function questionsOf(document: unknown, where: string): ChoiceExample[] {
  const [paragraphs, questions, name] = Array.isArray(document) ? document : [];
  if (!isTexts(paragraphs) || !Array.isArray(questions)) {
    throw damaged(where, "[paragraphs, questions, id]", document);
  }
  const context = paragraphs.join("\n");
  return questions.map((one: unknown, i) => {
    const { question, choice: choices, answer } = (one ?? {}) as Record<string, unknown>;
    if (typeof question !== "string" || !isTexts(choices) || choices.length < 2) {
      throw damaged(`${where} question ${i + 1}`, "a question with two choices or more", one);
    }
    const example = { id: `${String(name)}-${i}`, context, question, choices };
    if (answer === undefined || answer === "") return example;
    const label = choices.indexOf(answer as string);
    if (label < 0) throw damaged(`${where} question ${i + 1}: answer`, "one of the choices", answer);
    return { ...example, label };
  });
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function damaged(where: string, expected: string, got: unknown): DataError {
  return new DataError({ where, expected, got, hint: "see docs/tasks-data.md for the layout of C3" });
}

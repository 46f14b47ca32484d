/** Reading comprehension without a model: windows, labels, the choice of answers from scores, metrics. */
import { describe, expect, test } from "vitest";
import { BertTokenizer } from "../text/tokenizer.ts";
import type { QuestionExample } from "./examples.ts";
import { nBestFileOf, predictionFileOf, type QuestionAnswer } from "./qa/qa-answer.ts";
import type { QuestionAnsweringSettings } from "./qa/qa-settings.ts";
import { passageWindows, widestContext } from "./qa/qa-windows.ts";
import { qa } from "./qa.ts";
import type { RowScores } from "./task.ts";

const CHARACTERS = "灯塔在城西高三十米港口建于一九二年誰人點燈東";
const tokenizer = BertTokenizer.fromVocabText(
  ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ...CHARACTERS, "，", "。", "？", "2", "##8", ""].join("\n"),
);
const settings = (more: Partial<QuestionAnsweringSettings> = {}) => ({ task: "qa", maxSeqLength: 32, ...more });
const example = (more: Partial<QuestionExample> = {}): QuestionExample => ({
  id: "q",
  question: "灯塔在？",
  context: "灯塔在  城西，高 28 米。",
  ...more,
});
const positionsOf = (given: QuestionExample, more: Partial<QuestionAnsweringSettings> = {}) =>
  qa
    .create(settings(more))
    .encode(given, tokenizer)
    .rows.map(({ labels }) => labels && [labels["start_positions"]?.[0], labels["end_positions"]?.[0]]);

describe("rows", () => {
  test("the question stands first, the answer is found by its characters", () => {
    const given = example({ answers: [{ text: "城西", start: 5 }] });
    const [row] = qa.create(settings()).encode(given, tokenizer).rows;
    // [CLS] 灯 塔 在 ？ [SEP] 灯 塔 在 城 西 ， 高 2 ##8 米 。 [SEP]
    const sequence = row?.sequences[0];
    expect(tokenizer.convertIdsToTokens(sequence?.ids ?? []).join(" ")).toBe(
      "[CLS] 灯 塔 在 ？ [SEP] 灯 塔 在 城 西 ， 高 2 ##8 米 。 [SEP]",
    );
    expect([...(sequence?.typeIds ?? [])].join("")).toBe("000000111111111111");
    expect(positionsOf(given)).toEqual([[9, 10]]);
  });

  test("an answer takes the pieces that it touches; one of spaces alone is none", () => {
    expect(positionsOf(example({ answers: [{ text: "8", start: 11 }] }))).toEqual([[14, 14]]);
    expect(positionsOf(example({ answers: [{ text: "  城", start: 3 }] }))).toEqual([[9, 9]]);
    expect(positionsOf(example({ answers: [{ text: "  ", start: 3 }] }))).toEqual([[0, 0]]);
  });

  test("windows that do not hold the whole answer point at [CLS]", () => {
    // Room for six passage tokens, a window every four: 0-5, 4-9, 8-10.
    const given = example({ answers: [{ text: "西，", start: 6 }] });
    expect(positionsOf(given, { maxSeqLength: 13, docStride: 4 })).toEqual([
      [10, 11],
      [6, 7],
      [0, 0],
    ]);
    const late = example({ answers: [{ text: "，高 28", start: 7 }] });
    expect(positionsOf(late, { maxSeqLength: 13, docStride: 4 })).toEqual([
      [0, 0],
      [7, 10],
      [0, 0],
    ]);
  });

  test("the overlap of windows and the step between them are two ways to say the same", () => {
    const rowsOf = (more: Partial<QuestionAnsweringSettings>) =>
      qa.create(settings({ maxSeqLength: 13, ...more })).encode(example(), tokenizer).rows;
    expect(rowsOf({ docStride: 3 })).toEqual(rowsOf({ windowOverlap: 3 }));
    expect(rowsOf({ docStride: 99 })).toEqual(rowsOf({ windowOverlap: 0 }));
    expect(rowsOf({ docStride: 1 }).length).toBeGreaterThan(rowsOf({ docStride: 3 }).length);
  });

  test("questions without references carry no labels, unanswerable ones point at [CLS]", () => {
    expect(positionsOf(example())).toEqual([undefined]);
    expect(positionsOf(example({ answers: [{ text: "城东" }] }))).toEqual([undefined]);
    expect(positionsOf(example({ answers: [] }))).toEqual([[0, 0]]);
  });

  test("nothing is learned from an answer that is not in its passage; what has no answers at all is left to be told", () => {
    const placed = example({ answers: [{ text: "山上" }, { text: "城西", start: 5 }] });
    const impossible = example({ answers: [] });
    const bare = example();
    const lost = example({ answers: [{ text: "山上" }] });
    expect(qa.create(settings()).trainingExamples?.([lost, placed, lost, impossible, bare])).toEqual([
      placed,
      impossible,
      bare,
    ]);
  });

  test("a long question is cut, and one that leaves no room is refused", () => {
    const long = example({ question: "灯塔在城西？".repeat(9) });
    expect(qa.create(settings({ maxQueryLength: 5 })).encode(long, tokenizer).isTruncated).toBe(true);
    expect(() => qa.create(settings({ maxQueryLength: 40 })).encode(long, tokenizer)).toThrow(/question q: .*room/);
  });

  test("an empty passage is a row too, and has no answer", () => {
    const given = example({ context: "" });
    const task = qa.create(settings());
    const encoded = task.encode(given, tokenizer);
    expect(encoded.rows).toHaveLength(1);
    const zeros = { start_logits: new Float32Array(7), end_logits: new Float32Array(7) };
    expect(task.decode(given, encoded, [zeros])).toMatchObject({ answer: "", start: 0, end: 0 });
  });

  test("each piece belongs to the window that sees most around it", () => {
    const options = { maxSeqLength: 13, maxQueryLength: 4, docStride: 2 };
    const { windows, pieces } = passageWindows(tokenizer, "灯塔在？", "灯塔在城西高三十米港", options, "test");
    expect(windows.map(({ from, to }) => [from, to])).toEqual([
      [0, 6],
      [2, 8],
      [4, 10],
    ]);
    // A window's inner pieces are its own; between two that see as much, the earlier one has it.
    expect([...widestContext(windows, pieces.ids.length)]).toEqual([0, 0, 0, 0, 1, 1, 2, 2, 2, 2]);
  });
});

describe("answers", () => {
  const task = (more: Partial<QuestionAnsweringSettings> = {}) => qa.create(settings(more));

  /** Scores that are 0 but for these positions. */
  function scoresOf(length: number, starts: Record<number, number>, ends: Record<number, number>): RowScores {
    const fill = (values: Record<number, number>) => {
      const scores = new Float32Array(length);
      for (const [at, value] of Object.entries(values)) scores[Number(at)] = value;
      return scores;
    };
    return { start_logits: fill(starts), end_logits: fill(ends) };
  }

  function answerOf(
    given: QuestionExample,
    scores: readonly RowScores[],
    more: Partial<QuestionAnsweringSettings> = {},
  ) {
    const bound = task(more);
    return bound.decode(given, bound.encode(given, tokenizer), scores);
  }

  test("white space of the passage stays in the answer", () => {
    const answer = answerOf(example(), [scoresOf(18, { 8: 5 }, { 10: 5 })]);
    expect(answer).toMatchObject({ id: "q", answer: "在  城西", start: 2, end: 7 });
    expect(answer.score).toBeGreaterThan(0.9);
  });

  test("traditional characters stand as they are", () => {
    const given = example({ question: "誰？", context: "港口東有人點燈。" });
    expect(answerOf(given, [scoresOf(13, { 7: 5 }, { 9: 5 })]).answer).toBe("有人點");
  });

  test("ends before starts, the question, and what is too long are no answers", () => {
    const scores = [scoresOf(18, { 12: 9, 2: 20 }, { 7: 9, 10: 4, 3: 20, 15: 2 })];
    expect(answerOf(example(), scores).answer).toBe("高 28 米");
    expect(answerOf(example(), scores, { maxAnswerLength: 3 }).answer).not.toBe("高 28 米");
    expect(answerOf(example(), scores, { maxAnswerCharacters: 5 }).answer).not.toBe("高 28 米");
  });

  test("the best answers are in order, their scores shares of one, each span once", () => {
    const more = { maxSeqLength: 13, docStride: 3, widestContextOnly: false, nBest: 5 };
    const encoded = task(more).encode(example(), tokenizer);
    const lengths = encoded.rows.map(({ sequences }) => sequences[0]?.ids.length as number);
    // The third and the fourth piece of the first window are the first two of the second.
    const scores = lengths.map((length, i) => scoresOf(length, { [9 - 3 * i]: 3 }, { [10 - 3 * i]: 3 + i }));
    const { nBest, answer } = answerOf(example(), scores, more);
    expect(answer).toBe("城西");
    expect(nBest.filter((candidate) => candidate.answer === "城西")).toHaveLength(1);
    expect(nBest.map(({ score }) => score)).toEqual(nBest.map(({ score }) => score).toSorted((a, b) => b - a));
    expect(nBest.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 9);
  });

  test("no answer where [CLS] outscores the best span by more than the threshold", () => {
    const scores = [scoresOf(18, { 0: 4, 9: 3 }, { 0: 4, 10: 3 })];
    const answerable = answerOf(example(), scores, { noAnswer: true, noAnswerThreshold: 2.5 });
    expect(answerable).toMatchObject({ answer: "城西", noAnswerScore: 2 });
    const none = answerOf(example(), scores, { noAnswer: true });
    expect(none).toMatchObject({ answer: "", start: 0, end: 0, noAnswerScore: 2 });
    expect(none.nBest.map(({ answer }) => answer)).toContain("城西");
    expect(answerOf(example(), scores).answer).toBe("城西");
  });

  test("kinds: yes, no and unknown take the place of the span", () => {
    const kindsOf = (...kinds: number[]) => [
      { ...scoresOf(18, { 9: 3 }, { 10: 3 }), kind_logits: Float32Array.from(kinds) },
    ];
    const more = { answerKinds: true };
    expect(answerOf(example(), kindsOf(3, 0, 0, 0), more)).toMatchObject({ answer: "城西", kind: "span" });
    expect(answerOf(example(), kindsOf(0, 3, 0, 0), more)).toMatchObject({ answer: "YES", kind: "yes" });
    expect(answerOf(example(), kindsOf(0, 0, 3, 0), more)).toMatchObject({ answer: "NO", start: 0, end: 0 });
    expect(answerOf(example(), kindsOf(0, 0, 0, 3), more)).toMatchObject({ answer: "", kind: "unknown" });
  });

  test("the files in which answers are handed in", () => {
    const answer = answerOf(example(), [scoresOf(18, { 9: 3 }, { 10: 3 })]);
    expect(JSON.parse(predictionFileOf([answer]))).toEqual({ q: "城西" });
    expect(JSON.parse(nBestFileOf([answer])).q[0]).toEqual({
      text: "城西",
      probability: answer.score,
      start_logit: 3,
      end_logit: 3,
    });
    for (const write of [predictionFileOf, nBestFileOf]) {
      expect(() => write([answer, answer])).toThrow(
        'prediction file: expected questions with an id each, got "q" twice',
      );
    }
  });
});

describe("labels and settings", () => {
  test("what the data hold decides which answers a model can give", () => {
    const span = example({ answers: [{ text: "城西", start: 5 }] });
    const plain = { maxSeqLength: 384, noAnswer: false, answerKinds: false, answerMetric: "cmrc" };
    expect(qa.settle([span], {})).toMatchObject(plain);
    const english = example({ context: "The tower stands west.", answers: [{ text: "west", start: 17 }] });
    expect(qa.settle([english], {})).toMatchObject({ answerMetric: "squad" });
    expect(qa.settle([span, example({ answers: [] })], {})).toMatchObject({ noAnswer: true, answerKinds: false });
    const yes = example({ answers: [{ text: "YES" }], yesNo: "yes" });
    expect(qa.settle([span, yes, example({ answers: [] })], {})).toMatchObject({
      noAnswer: false,
      answerKinds: true,
      answerMetric: "cjrc",
    });
    expect(() => qa.settle([example(), yes], {})).toThrow(/stands in its passage/);
  });

  test("with kinds, yes has no place and a window without the answer is unknown", () => {
    const more = { answerKinds: true, maxSeqLength: 13, docStride: 6 };
    const labelsOf = (given: QuestionExample) =>
      qa
        .create(settings(more))
        .encode(given, tokenizer)
        .rows.map(({ labels }) => [labels?.["answer_kinds"]?.[0], labels?.["start_positions"]?.[0]]);
    expect(labelsOf(example({ answers: [{ text: "城西", start: 5 }] }))).toEqual([
      [0, 9],
      [3, 0],
    ]);
    expect(labelsOf(example({ answers: [{ text: "NO" }], yesNo: "no" }))).toEqual([
      [2, -100],
      [2, -100],
    ]);
  });

  test("the mask of the Chinese baseline: [CLS] and the passage", () => {
    const given = example({ answers: [] });
    const [row] = qa.create(settings({ maskScores: true })).encode(given, tokenizer).rows;
    expect(Array.from(row?.labels?.["span_mask"] ?? []).join("")).toBe("100000111111111110");
  });

  test("settings of a file are checked", () => {
    expect(() => qa.create(settings({ docStride: 0 }))).toThrow(/docStride: expected a whole number from 1 on, got 0/);
    expect(() => qa.create(settings({ spanRule: "mean" as never }))).toThrow(/expected sum or product/);
    expect(() => qa.create(settings({ noAnswer: "yes" as never }))).toThrow(/expected true or false/);
  });
});

describe("metrics", () => {
  const given = (id: string, ...answers: string[]): QuestionExample =>
    example({ id, answers: answers.map((text) => ({ text })) });
  const answer = (text: string, noAnswerScore?: number): QuestionAnswer => {
    const span = { answer: "城西", start: 5, end: 7, score: 0.5, startLogit: 1, endLogit: 1 };
    const own = noAnswerScore === undefined ? {} : { noAnswerScore };
    return { id: "", answer: text, start: 0, end: 0, score: 0.5, nBest: [span], ...own };
  };
  const evaluate = (examples: QuestionExample[], answers: QuestionAnswer[]) =>
    qa.create(settings()).evaluate(examples, answers);

  test("CMRC's numbers, and the worst errors first", () => {
    const { metrics, errors } = evaluate(
      [given("a", "城西"), given("b", "城西", "西"), given("c", "十米")],
      [answer("城西"), answer("西"), answer("米")],
    );
    expect(metrics).toMatchObject({ exactMatch: 2 / 3, f1: (2 + 2 / 3) / 3 });
    expect(metrics["average"]).toBeCloseTo(((metrics["f1"] ?? 0) + (metrics["exactMatch"] ?? 0)) / 2, 12);
    expect(errors.map(({ id, expected, predicted }) => [id, expected, predicted])).toEqual([["c", "十米", "米"]]);
  });

  test("questions without an answer are counted apart, and the best threshold is found", () => {
    const { metrics } = evaluate(
      [given("a", "城西"), given("b"), given("c", "城西"), given("d")],
      // Sorted by their score: a 1, c 2, b 3, d 4; answering all up to 2 is right everywhere.
      [answer("", 1), answer("", 3), answer("", 2), answer("", 4)],
    );
    expect(metrics).toMatchObject({ exactMatch: 0.5, hasAnswerF1: 0, noAnswerF1: 1, bestThreshold: 2, bestF1: 1 });
  });

  test("a split without answers cannot be evaluated", () => {
    expect(() => evaluate([example()], [answer("")])).toThrow(/question q: expected answers/);
  });
});

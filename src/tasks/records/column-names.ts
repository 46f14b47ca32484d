/** The names that people give columns, by what is in them; a match is told to people before anything is trained. */

/** What a column can be to a task. */
export type ColumnRole =
  | "id"
  | "text"
  | "textPair"
  | "negative"
  | "label"
  | "score"
  | "context"
  | "question"
  | "choices"
  | "answers"
  | "answerStart"
  | "tokens"
  | "tags"
  | "entities";

/** By role, the best first; compared in lower case without `_`, `-` and spaces. */
export const columnNames: Readonly<Record<ColumnRole, readonly string[]>> = {
  id: ["id", "guid", "qid", "idx", "index", "编号", "序号"],
  text: [
    ...[
      "text",
      "texta",
      "text1",
      "sentence",
      "sentence1",
      "sentencea",
      "review",
      "content",
      "comment",
      "premise",
      "query",
    ],
    ...[
      "query1",
      "question1",
      "q1",
      "title",
      "title1",
      "anchor",
      "input",
      "文本",
      "文本1",
      "内容",
      "评论",
      "句子",
      "句子1",
      "正文",
      "标题",
    ],
  ],
  textPair: [
    ...[
      "textb",
      "text2",
      "textpair",
      "pair",
      "sentence2",
      "sentenceb",
      "hypothesis",
      "hypo",
      "query2",
      "question2",
      "q2",
    ],
    ...["title2", "positive", "entailment", "文本2", "句子2"],
  ],
  negative: ["negative", "neg", "hardneg", "hardnegative", "contradiction"],
  label: [
    "label",
    "labels",
    "goldlabel",
    "class",
    "category",
    "target",
    "sentiment",
    "y",
    "标签",
    "类别",
    "分类",
    "情感",
  ],
  score: ["score", "similarity", "similarityscore", "rating", "label", "target", "分数", "得分", "评分", "相似度"],
  context: ["context", "passage", "document", "paragraph", "article", "文章", "段落", "篇章"],
  question: ["question", "query", "问题"],
  choices: ["choices", "choice", "options", "endings", "选项"],
  answers: ["answers", "answer", "answertext", "答案"],
  answerStart: ["answerstart", "start"],
  tokens: ["tokens", "words", "chars", "characters"],
  tags: ["tags", "nertags", "postags", "labels", "label"],
  entities: ["entities", "entity", "spans", "label", "labels"],
};

/** The form in which names are compared. */
export function columnKey(name: string): string {
  return name.toLowerCase().replace(/[\s_-]+/g, "");
}

const known = new Set(Object.values(columnNames).flat());
/** Names that are also plausible labels or texts of a first row. */
const AMBIGUOUS = new Set(["entailment", "contradiction", "positive", "negative", "neg", "y", "start"]);

/** Whether a cell is a name for a column rather than data. */
export function isColumnName(cell: string): boolean {
  const key = columnKey(cell);
  return known.has(key) && !AMBIGUOUS.has(key);
}

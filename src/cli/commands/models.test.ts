import { expect, test } from "vitest";
import { parseLines, runCommand } from "../../../test/run-command.ts";
import { ArgumentError } from "../../errors.ts";
import { zoo } from "../../model/zoo.ts";

test("zhbert models lists all, a dash for what nobody published", async () => {
  const lines = (await runCommand(["models"])).split("\n");
  for (const { hubName } of zoo) expect(lines.filter((line) => line.startsWith(`${hubName} `)).length).toBe(1);
  expect(lines.find((line) => line.startsWith("hfl/rbt3 "))).toMatch(/ 3 +768 +38\.5M +21128 .* no +Apache-2\.0/);
  expect(lines.find((line) => line.startsWith("hfl/minirbt-h256 "))).toMatch(/ - +- +Apache-2\.0/);
  expect(lines.find((line) => line.startsWith("hfl/chinese-lert-base "))).toMatch(/ yes +Apache-2\.0/);
});

test("a word filters", async () => {
  const text = await runCommand(["models", "MacBERT"]);
  expect(text.match(/^hfl\/\S+/gm)).toEqual(["hfl/chinese-macbert-base", "hfl/chinese-macbert-large"]);
});

test("a name prints the card with learning rates, scores and how to use it", async () => {
  const text = await runCommand(["models", "chinese-roberta-wwm-ext"]);
  expect(text).toMatch(/^parameters +102,267,648 without heads; published as 102M$/m);
  expect(text).toMatch(/^steps +1M at 512$/m);
  expect(text).toMatch(/^CJRC +4e-5$/m);
  expect(text).toMatch(/^DRCD +86\.6 \(85\.9\) \/ 92\.5 \(92\.2\) +85\.6 \(85\.2\) \/ 92 \(91\.7\) +-$/m);
  expect(text).toContain("zhbert download hfl/chinese-roberta-wwm-ext");
  expect(await runCommand(["models", "rbt4"])).toMatch(/^device +-$/m);
});

test("--json prints an object a model", async () => {
  const all = parseLines(await runCommand(["models", "--json"]));
  expect(all.length).toBe(zoo.length);
  const [card] = parseLines(await runCommand(["models", "hfl/chinese-bert-wwm", "--json"]));
  expect(card).toMatchObject({
    name: "BERT-wwm",
    parameters: 102_267_648,
    mlmHead: "no",
    learningRates: { LCQMC: 2e-5 },
    scores: { XNLI: { test: { accuracy: [78.2, 78.0] } } },
  });
});

test("an unknown name is an error with the nearest one", async () => {
  await expect(runCommand(["models", "hfl/chinese-mcbert-base"])).rejects.toBeInstanceOf(ArgumentError);
});

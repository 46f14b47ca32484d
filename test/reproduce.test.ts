/** The commands and bands of docs/reproduce.md are those of the program: options are read, numbers are the published ones. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { readRunOption, runOptionsOf } from "../src/cli/run-settings.ts";
import { lookUpModel, type ZooModel } from "../src/model/zoo.ts";
import type { AnyDataset } from "../src/tasks/datasets/dataset.ts";
import { findDataset } from "../src/tasks/datasets/datasets.ts";
import { fineTuningDefaults } from "../src/tasks/protocol/default-rates.ts";
import { parseProtocol } from "../src/tasks/protocol/protocol-file.ts";
import { publishedBand } from "../src/tasks/protocol/published.ts";

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../${path}`, import.meta.url)), "utf8");
const page = read("docs/reproduce.md");
const commands = [...page.matchAll(/^zhbert finetune (\S+) (--model (\S+) .*)$/gm)].map(
  ([, dataset = "", options = "", model = ""]) => ({ dataset, model, options }),
);

/** The rows of the tables whose head begins with a data set's title. */
function bandsOf(title: string): Map<string, string[]> {
  const [, table = ""] = new RegExp(`^\\| ${title}, [^\\n]*\\n((?:\\|[^\\n]*\\n)+)`, "m").exec(page) ?? [];
  const rows = table.split("\n").slice(1, -1);
  return new Map(
    rows
      .map((row) =>
        row
          .split("|")
          .slice(1, -1)
          .map((cell) => cell.trim()),
      )
      .map(([name = "", ...cells]) => [name, cells]),
  );
}

describe("docs/reproduce.md", () => {
  test("has a command for every published row", () => {
    expect(new Set(commands.map(({ dataset }) => dataset)).size).toBe(8);
    // Six models on eight data sets, and two small ones on six of them.
    expect(commands).toHaveLength(6 * 8 + 2 * 6);
  });

  test.each(commands)(
    "$dataset of $model: the options are the program's, the rates its defaults",
    ({ dataset, model, options }) => {
      const values = Object.fromEntries(
        [...options.matchAll(/--([a-z-]+) (\S+)/g)].map(([, name = "", value = ""]) => [name, value]),
      );
      const { model: _, runs, data, ...others } = values;
      expect([runs, data]).toEqual(["10", `${dataset}/`]);
      const run = Object.fromEntries(
        Object.entries(others).map(([name, value]) => [
          readRunOption(
            name.replace(/-([a-z])/g, (_all, letter: string) => letter.toUpperCase()),
            value,
            name,
          ),
          value,
        ]),
      );
      const known = lookUpModel(model) as ZooModel;
      const { title, task } = findDataset(dataset) as AnyDataset;
      const sizes = { vocabSize: known.vocabSize, hiddenSize: known.hiddenSize };
      const shape = { ...sizes, numHiddenLayers: known.layers, hiddenAct: known.activation };
      const { learningRate, epochs, batchSize, publishedLength } = fineTuningDefaults({
        task,
        dataset: title,
        model: shape,
      });
      const { task: settings, ...rest } = runOptionsOf(dataset, run);
      expect(rest).toMatchObject({ learningRate, epochs, batchSize });
      expect(settings?.maxSeqLength).toBe(publishedLength);
      const split = ["dev", "test", "challenge"];
      const metrics = task === "qa" ? ["exactMatch", "f1"] : ["accuracy"];
      const cells = bandsOf(title).get(model) ?? [];
      expect(cells.length).toBeGreaterThan(1);
      cells.forEach((cell, i) => {
        const bands = metrics.map((metric) => publishedBand({ model, dataset: title, split: split[i] ?? "", metric }));
        const written = bands.map((band) => {
          if (band?.max === undefined) return "–";
          const mean = band.mean === undefined ? "" : ` (${(100 * band.mean).toFixed(1)})`;
          return `${(100 * band.max).toFixed(1)}${mean}`;
        });
        expect(cell).toBe(bands.every((band) => band === undefined) ? "–" : written.join(" / "));
      });
    },
  );

  test("its example is a protocol", () => {
    const [, example = ""] = /```yaml\n([\s\S]*?)```/.exec(page) ?? [];
    const { cells } = parseProtocol(example, "reproduce.md", readRunOption);
    expect(cells).toHaveLength(2 * 2 * 2 * 10);
    expect(runOptionsOf("classify", cells.find(({ task }) => task.name === "reviews")?.options ?? {}).data).toEqual({
      name: "classify",
      train: "train.csv",
      dev: "dev.csv",
      test: "test.csv",
      columns: { text: "review" },
    });
  });
});

describe("examples/protocols", () => {
  test.each(readdirSync(fileURLToPath(new URL("../examples/protocols", import.meta.url))))(
    "%s is a protocol of known models and data sets",
    (name) => {
      const { cells, models, tasks } = parseProtocol(read(`examples/protocols/${name}`), name, readRunOption);
      expect(cells.length).toBeGreaterThan(100);
      for (const { path } of models) expect([path, lookUpModel(path)?.hubName]).toEqual([path, path]);
      for (const { task } of tasks) expect(findDataset(task)?.name).toBe(task);
      for (const { task, options } of cells) {
        const { batchSize = 0, gradientAccumulationSteps = 1 } = runOptionsOf(task.task, options);
        expect(batchSize * gradientAccumulationSteps).toBe(64);
      }
    },
  );
});

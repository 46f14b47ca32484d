/** Names of tasks and data sets, right and misspelt. */
import { expect, test } from "vitest";
import { ArgumentError } from "../errors.ts";
import { namedData } from "./named-data.ts";

const found = (name: string, dataset?: string) => {
  const named = namedData(name, dataset);
  return [named.definition.name, named.dataset?.name];
};

test("a data set has its task, a task has no data set unless it is said", () => {
  expect(found("ChnSentiCorp")).toEqual(["classify", "chnsenticorp"]);
  expect(found("Classify")).toEqual(["classify", undefined]);
  expect(found("embed", "sts-b")).toEqual(["embed", "sts-b"]);
  expect(found("siamese", "lcqmc")).toEqual(["siamese", "lcqmc"]);
});

test("a wrong name is told with what is near and what there is", () => {
  expect(() => namedData("chnsenticorpp")).toThrow(ArgumentError);
  const hintOf = (name: string, dataset?: string) => {
    try {
      namedData(name, dataset);
    } catch (error) {
      return (error as ArgumentError).hint;
    }
    return undefined;
  };
  expect(hintOf("clasify")).toMatch(/^did you mean classify\? tasks: classify, match/);
  expect(hintOf("embed", "sts-a")).toBe("did you mean sts-b?");
  expect(hintOf("qa", "chnsenticorp")).toMatch(/^it is for classify/);
});

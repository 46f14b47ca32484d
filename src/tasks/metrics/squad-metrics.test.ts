import { expect, test } from "vitest";
import { scoreSquadAnswer } from "./squad-metrics.ts";

test("letter case, marks and articles do not count, the order of words does for the exact match alone", () => {
  expect(scoreSquadAnswer("The red-brick tower.", ["a redbrick tower"])).toEqual({ exactMatch: 1, f1: 1 });
  expect(scoreSquadAnswer("tower red", ["red tower"])).toEqual({ exactMatch: 0, f1: 1 });
  expect(scoreSquadAnswer("the old tower", ["tower", "harbour"])).toEqual({ exactMatch: 0, f1: 2 / 3 });
  expect(scoreSquadAnswer("theatre", ["the atre"]).f1).toBe(0);
});

test("a question without references is answered rightly by saying nothing", () => {
  expect(scoreSquadAnswer("", [])).toEqual({ exactMatch: 1, f1: 1 });
  expect(scoreSquadAnswer("tower", [])).toEqual({ exactMatch: 0, f1: 0 });
  expect(scoreSquadAnswer("", ["tower"])).toEqual({ exactMatch: 0, f1: 0 });
});

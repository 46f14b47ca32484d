/** What reaches the terminal: names from files cannot steer it. */
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { createOutput } from "./output.ts";

function textOutput() {
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  const output = createOutput({ json: false, streams: streams as unknown as NonNullable<OutputStreams> });
  const texts = ["", ""];
  streams.stdout.on("data", (chunk) => (texts[0] += chunk));
  streams.stderr.on("data", (chunk) => (texts[1] += chunk));
  const taken = async () => {
    await output.flush();
    return texts;
  };
  return { output, taken };
}
type OutputStreams = Parameters<typeof createOutput>[0]["streams"];

test("control characters of names are shown, not obeyed; colours, tabs and ends of lines pass", async () => {
  const { output, taken } = textOutput();
  const name = "w\x1b]0;title\x07\x1b[2J\r\x9b1A";
  output.note(`tensor ${name}\n\t\x1b[31mred\x1b[39m`);
  output.table(["tensor"], [[name]]);
  const [stdout, stderr] = await taken();
  const shown = "w\\u001b]0;title\\u0007\\u001b[2J\\u000d\\u009b1A";
  expect(stderr).toBe(`tensor ${shown}\n\t\x1b[31mred\x1b[39m\n`);
  expect(stdout).toContain(shown);
});

test("a table of very many rows is printed", async () => {
  const { output, taken } = textOutput();
  output.table(
    ["tensor"],
    Array.from({ length: 150_000 }, (_, i) => [`t${i}`]),
  );
  expect((await taken())[0]).toContain("t149999");
});

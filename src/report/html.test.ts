/** What comes from files cannot become markup. */
import { expect, test } from "vitest";
import { html, Markup, table } from "./html.ts";

test("texts are escaped, also within attributes and lists; markup is not", () => {
  const evil = `<script>alert("1")</script>&'`;
  const text = html`<p title="${evil}">${[evil, html`<b>${1}</b>`, undefined, new Markup("<i>")]}</p>`.text;
  const escaped = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;";
  expect(text).toBe(`<p title="${escaped}">${escaped}<b>1</b><i></p>`);
});

test("control characters cannot steer the terminal of a text browser", () => {
  expect(html`${"a\u001b[2Jb\u0000\u009bc\td\n"}`.text).toBe("a\ufffd[2Jb\ufffd\ufffdc\td\n");
});

test("a column of numbers stands to the right, a head without texts is left out", () => {
  const rows = [
    ["a", "1,000", "3.5 %"],
    ["b", "1e-12", "–"],
  ];
  const text = table(["name", "count", "share"], rows).text;
  expect(text).toContain('<th>name</th><th class="number">count</th><th class="number">share</th>');
  expect(text).toContain('<td>b</td><td class="number">1e-12</td><td class="number">–</td>');
  expect(table(["", ""], [["a", "b"]]).text).not.toContain("<th");
});

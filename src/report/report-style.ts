/** How a report looks: light or dark as the reader's system is, light when printed; system fonts with Chinese ones behind. */

/** The fonts of reports and charts, the reader's own first. */
export const FONT_FAMILY =
  'system-ui, "Segoe UI", "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", "Noto Sans CJK SC", "Noto Sans SC", ' +
  '"WenQuanYi Micro Hei", sans-serif';

/** The content of a report's style element. */
export const REPORT_STYLE = `
:root { color-scheme: light dark; --page: #fff; --panel: #f5f7fa; --paper: #fff; --ink: #1f2933; --muted: #52606d; --line: #d9dee4; --mark: #0b6aa8; }
@media (prefers-color-scheme: dark) {
  :root { --page: #12161b; --panel: #1b2128; --paper: #1b2128; --ink: #e4e8ed; --muted: #9fabb8; --line: #333d48; --mark: #6cb8ea; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 ${FONT_FAMILY}; }
main { max-width: 76rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .35rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.75rem 0 .9rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.4rem 0 .5rem; }
p { margin: .4rem 0; max-width: 48rem; }
.lead, .note, footer { color: var(--muted); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(11.5rem, 1fr)); gap: .75rem; margin: 1.5rem 0 0; }
.facts div { background: var(--panel); border-radius: .5rem; padding: .7rem .9rem; }
.facts dt { color: var(--muted); font-size: .85rem; }
.facts dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
.facts small { display: block; font-size: .8rem; color: var(--muted); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; background: var(--paper); border: 1px solid var(--line); border-radius: .5rem; overflow: hidden; break-inside: avoid; }
figure img { display: block; width: 100%; height: auto; }
header table { margin-top: 1.25rem; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 0 2.5rem; }
.columns > section { min-width: 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; max-width: 62rem; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .38rem .9rem .38rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: break-word; }
th { font-weight: 600; color: var(--muted); }
.number { text-align: right; white-space: nowrap; }
tr { break-inside: avoid; }
mark { background: none; color: var(--mark); font-weight: 600; }
code { font: .88em ui-monospace, "Cascadia Mono", Menlo, Consolas, "Noto Sans Mono CJK SC", monospace; overflow-wrap: anywhere; }
footer { margin-top: 3rem; font-size: .85rem; }
@media print {
  :root { color-scheme: light; --page: #fff; --panel: #f5f7fa; --paper: #fff; --ink: #000; --muted: #444; --line: #ccc; --mark: #0b6aa8; }
  body { font-size: 9pt; }
  main { max-width: none; padding: 0; }
  .charts { grid-template-columns: 1fr 1fr; }
  .facts { grid-template-columns: repeat(5, 1fr); }
  .facts dd { font-size: 1.1rem; }
  .columns { grid-template-columns: 1fr 1fr; }
  th, td { padding-top: .15rem; padding-bottom: .15rem; }
  h2, h3, .lead { break-after: avoid; }
}
`;

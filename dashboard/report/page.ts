/** The report's page: one self-contained HTML text, light and dark, readable on a phone. */
import { escapeHtml } from '../html.ts'

/** A section of the page with an anchor. */
export interface Section {
  readonly id: string
  readonly title: string
  readonly html: string
}

/** The whole page. `lead` stands under the title; nothing is loaded from elsewhere. */
export function page(title: string, lead: string, sections: readonly Section[]): string {
  const links = sections.map(({ id, title }) => `<a href="#${id}">${escapeHtml(title)}</a>`).join('')
  const parts = sections.map(
    ({ id, title, html }) => `<section id="${id}"><h2>${escapeHtml(title)}</h2>${html}</section>`,
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<header><h1>${escapeHtml(title)}</h1>${lead}<nav>${links}</nav></header>
<main>
${parts.join('\n')}
</main>
</body>
</html>
`
}

/** A table; cells are HTML already. Columns whose name starts with `#` are numbers (right-aligned). */
export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const isNumber = columns.map(column => column.startsWith('#'))
  const head = columns.map(
    (column, i) => `<th${isNumber[i] ? ' class="number"' : ''}>${escapeHtml(column.replace(/^#/, ''))}</th>`,
  )
  const body = rows.map(
    row => `<tr>${row.map((cell, i) => `<td${isNumber[i] ? ' class="number"' : ''}>${cell}</td>`).join('')}</tr>`,
  )
  return `<div class="scroll"><table><thead><tr>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table></div>`
}

/** Large figures side by side. */
export function tiles(figures: readonly { name: string; value: string; note?: string }[]): string {
  const parts = figures.map(
    ({ name, value, note }) =>
      `<div class="tile"><b>${escapeHtml(value)}</b><span>${escapeHtml(name)}</span>${note ? `<small>${escapeHtml(note)}</small>` : ''}</div>`,
  )
  return `<div class="tiles">${parts.join('')}</div>`
}

const style = `
:root{--back:#fbfbfa;--card:#fff;--ink:#1d2125;--soft:#626b75;--rule:#dfe2e6;--accent:#2463c4;--tone1:#c2571a;--tone2:#2e8555;--tone3:#8a4fb8;--pass:#23834f;--fail:#c0392b;--open:#a86e00;--mark:36 99 196}
@media (prefers-color-scheme:dark){:root{--back:#14171a;--card:#1c2024;--ink:#e6e8ea;--soft:#99a3ad;--rule:#32383e;--accent:#78aaf5;--tone1:#f0955e;--tone2:#69c795;--tone3:#c596ea;--pass:#5fca90;--fail:#f07f72;--open:#e5b458;--mark:120 170 245}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header,main{max-width:1060px;margin:0 auto;padding:0 16px}
header{padding-top:28px}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
h2{font-size:1.2rem;margin:36px 0 10px}
h3{font-size:1rem;margin:0}
p{margin:6px 0;max-width:72ch}
.lead,.soft,small{color:var(--soft)}
nav{display:flex;flex-wrap:wrap;gap:4px 16px;margin-top:12px;padding:8px 0;border-top:1px solid var(--rule);border-bottom:1px solid var(--rule)}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(140px,1fr));gap:10px;margin:14px 0}
.tile{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:10px 12px}
.tile b{display:block;font-size:1.35rem;font-weight:600;font-variant-numeric:tabular-nums}
.tile span{display:block;color:var(--soft);font-size:.85rem}
.tile small{display:block;font-size:.78rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:14px}
.charts>figure:only-child{max-width:640px}
figure{margin:0;background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:10px 12px}
figcaption{font-weight:600;font-size:.9rem;margin-bottom:4px}
svg{display:block;width:100%;height:auto;font:12px system-ui,sans-serif;overflow:visible}
svg text{fill:var(--soft)}svg .label{fill:var(--ink)}
.grid{stroke:var(--rule)}.zero{stroke:var(--soft);stroke-dasharray:3 3}
.line{fill:none;stroke-width:1.8}.bar{fill:var(--accent)}.band{stroke:none;fill-opacity:.18}
.tone-0{stroke:var(--accent);fill:var(--accent)}.tone-1{stroke:var(--tone1);fill:var(--tone1)}.tone-2{stroke:var(--tone2);fill:var(--tone2)}.tone-3{stroke:var(--tone3);fill:var(--tone3)}
path.line{fill:none}path.band{stroke:none}
.legend{float:right;font-weight:400}.key{margin-left:12px;color:var(--soft)}
.key i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:4px}
i.tone-0{background:var(--accent)}i.tone-1{background:var(--tone1)}i.tone-2{background:var(--tone2)}i.tone-3{background:var(--tone3)}
.control{fill:var(--soft);fill-opacity:.2}
.interval{stroke-width:2.4}
.interval.pass,.estimate.pass{stroke:var(--pass);fill:var(--pass)}.interval.fail,.estimate.fail{stroke:var(--fail);fill:var(--fail)}
.interval.inconclusive,.estimate.inconclusive,.interval.not-run,.estimate.not-run{stroke:var(--open);fill:var(--open)}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--rule);border-radius:8px}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:6px 10px;border-bottom:1px solid var(--rule);white-space:nowrap}
tr:last-child td{border-bottom:0}
th{font-weight:600;color:var(--soft)}
.number{text-align:right;font-variant-numeric:tabular-nums}
.pill{display:inline-block;border-radius:99px;padding:0 9px;font-size:.8rem;border:1px solid currentColor;white-space:nowrap}
.pill.pass{color:var(--pass)}.pill.fail{color:var(--fail)}.pill.inconclusive,.pill.not-run{color:var(--open)}
.feature{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:12px 14px;margin:12px 0}
.feature header{padding:0;display:flex;flex-wrap:wrap;gap:4px 10px;align-items:baseline;max-width:none}
.feature .facts{color:var(--soft);font-size:.85rem}
.tokens{display:flex;flex-wrap:wrap;gap:4px;margin:4px 0;font-size:.85rem}
.tokens span{border:1px solid var(--rule);border-radius:4px;padding:0 5px}
.example{font:13px/1.75 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere;padding:2px 0;border-top:1px solid var(--rule)}
.example b{float:right;font-weight:400;color:var(--soft);margin-left:10px}
mark{color:inherit;border-radius:3px;padding:1px 0;background:rgb(var(--mark)/var(--a))}
mark.peak{outline:1.5px solid var(--accent)}
details{margin-top:6px}summary{cursor:pointer;color:var(--soft)}
code{font:.88em ui-monospace,SFMono-Regular,Menlo,monospace;overflow-wrap:anywhere}
.nothing{color:var(--soft)}
footer{max-width:1060px;margin:40px auto;padding:0 16px;color:var(--soft)}
`

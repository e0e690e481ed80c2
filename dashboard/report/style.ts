/** How pages look: on a screen, light and dark; on a phone; on paper. */

/** Steps of a token's shade: classes s1, s2 …, so that no element needs a style of its own. */
export const shades = 10

const shadeRules = Array.from({ length: shades }, (_, i) => `.s${i + 1}{--a:${(0.12 + 0.058 * (i + 1)).toFixed(3)}}`)

/** Colours of the heat map: orange below 0, blue above, which all eyes tell apart. */
const heatRules = [1, 2, 3, 4, 5].flatMap(step =>
  ['less', 'more'].map(side => `.cell.${side}-${step}{fill:rgb(var(--${side})/${(0.09 * step).toFixed(2)})}`),
)

export const style = `
:root{--back:#fbfbfa;--card:#fff;--ink:#1d2125;--soft:#626b75;--rule:#dfe2e6;--accent:#2463c4;--tone1:#c2571a;--tone2:#2e8555;--tone3:#8a4fb8;--pass:#23834f;--fail:#c0392b;--open:#875800;--mark:36 99 196;--less:194 87 26;--more:36 99 196}
@media (prefers-color-scheme:dark){:root{--back:#14171a;--card:#1c2024;--ink:#e6e8ea;--soft:#99a3ad;--rule:#32383e;--accent:#78aaf5;--tone1:#f0955e;--tone2:#69c795;--tone3:#c596ea;--pass:#5fca90;--fail:#f07f72;--open:#e5b458;--mark:70 120 210;--less:240 149 94;--more:120 170 245}}
*{box-sizing:border-box}
body{margin:0;overflow-wrap:anywhere;background:var(--back);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
header,main{max-width:1180px;margin:0 auto;padding:0 16px}
header{padding-top:28px}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
h2{font-size:1.2rem;margin:36px 0 10px}
h3{font-size:1rem;margin:0}
p{margin:6px 0;max-width:72ch}
.lead,.soft,small{color:var(--soft)}
nav{display:flex;flex-wrap:wrap;align-items:baseline;gap:4px 16px;margin-top:12px;padding:8px 0;border-top:1px solid var(--rule);border-bottom:1px solid var(--rule)}
a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
.tiles{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(140px,45%),1fr));gap:10px;margin:14px 0}
.tile{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:10px 12px}
.tile b{display:block;font-size:1.35rem;font-weight:600;font-variant-numeric:tabular-nums}
.tile>span{display:block;color:var(--soft);font-size:.85rem}
.tile small{display:block;font-size:.78rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:14px}
.charts>figure:only-child{max-width:640px}
figure{margin:0;background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:10px 12px}
figcaption{font-weight:600;font-size:.9rem;margin-bottom:4px;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto;font:12px system-ui,sans-serif;overflow:visible}
svg text{fill:var(--soft)}svg .label{fill:var(--ink)}.forest text{paint-order:stroke;stroke:var(--card);stroke-width:4px;stroke-linejoin:round}
.grid{stroke:var(--rule)}.zero{stroke:var(--soft);stroke-dasharray:3 3}
.line{fill:none;stroke-width:1.8}.bar{fill:var(--accent)}.chances .bar{fill:var(--soft);fill-opacity:.55}.chances .bar.found{fill:var(--fail);fill-opacity:1}.band{stroke:none;fill-opacity:.18}
.tone-0{stroke:var(--accent);fill:var(--accent)}.tone-1{stroke:var(--tone1);fill:var(--tone1)}.tone-2{stroke:var(--tone2);fill:var(--tone2)}.tone-3{stroke:var(--tone3);fill:var(--tone3)}
path.line{fill:none}path.band{stroke:none}
.legend{font-size:.85rem}.key{margin-right:12px;color:var(--soft)}
.key i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:4px}
i.tone-0{background:var(--accent)}i.tone-1{background:var(--tone1)}i.tone-2{background:var(--tone2)}i.tone-3{background:var(--tone3)}
svg .soft{fill:var(--soft)}.drawing{max-width:600px}.drawing svg{overflow:hidden}.drawing.wide{max-width:none;overflow-x:auto}.drawing.wide svg{width:auto;height:auto;max-width:none}
.smallest{fill:var(--soft);fill-opacity:.14}.detectable{stroke:var(--ink);stroke-width:1.6}.smallest-line{stroke:var(--soft);stroke-dasharray:1 3}.window{fill:var(--pass);fill-opacity:.13}
.interval.of-control,.estimate.of-control{stroke:var(--soft);fill:var(--card)}.interval.of-control{stroke-width:1.6}
.interval.unjudged,.estimate.unjudged{stroke:var(--accent);fill:var(--accent)}.estimate.cross{fill:none;stroke-width:2.4}
.cell{fill:var(--card);stroke:var(--rule)}.cell.open{stroke:var(--ink);stroke-dasharray:3 2}.hatch{stroke:var(--soft);stroke-opacity:.4;fill:none}
${heatRules.join('')}
.chosen{fill:none;stroke:var(--ink);stroke-width:2}.bar-of{fill:none;stroke-width:1.6;stroke-opacity:.75}.front{fill:none;stroke:var(--soft);stroke-dasharray:4 3}
.edge{fill:none;stroke:var(--soft);stroke-width:1.5}.edge.changed{stroke:var(--fail);stroke-dasharray:6 3}.edge.missing{stroke:var(--fail);stroke-dasharray:2 3}.edge.file{stroke:var(--rule)}
.node{fill:var(--card);stroke:var(--soft)}.node.file{stroke:var(--rule)}.node.stale{stroke:var(--open);stroke-width:2}.node.missing{stroke:var(--fail);stroke-dasharray:4 3}.node.focus{stroke:var(--accent);stroke-width:2.5}
svg.marking .node-of:not(.near),svg.marking .edge:not(.near){opacity:.25}
.twin{font-size:.85rem}.twin .scroll{max-height:320px;overflow:auto;border:0}.missing{color:var(--soft);font-style:italic}
.interval{stroke-width:2.4}
.interval.pass,.estimate.pass{stroke:var(--pass);fill:var(--pass)}.interval.fail,.estimate.fail{stroke:var(--fail);fill:var(--fail)}
.interval.inconclusive,.estimate.inconclusive,.interval.not-run,.estimate.not-run{stroke:var(--open);fill:var(--open)}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--rule);border-radius:8px;margin:8px 0}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{text-align:left;padding:6px 10px;border-bottom:1px solid var(--rule);vertical-align:top;overflow-wrap:anywhere}
tr:last-child td{border-bottom:0}
th{font-weight:600;color:var(--soft);vertical-align:bottom;overflow-wrap:normal}
.number{text-align:right;font-variant-numeric:tabular-nums;overflow-wrap:normal}
table.blocks td:first-child{min-width:10em}
td small{display:block;font-size:.82rem;font-variant-numeric:tabular-nums}
.pill{display:inline-block;border-radius:99px;padding:0 9px;font-size:.8rem;border:1px solid currentColor;white-space:nowrap}
.pill i{font-style:normal;font-size:.8em}td .pill~small{overflow-wrap:normal}.pill.pass{color:var(--pass)}.pill.fail,.pill.failed{color:var(--fail)}.pill.inconclusive,.pill.not-run{color:var(--open)}
.feature{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:12px 14px;margin:12px 0}
.feature header{padding:0;display:flex;flex-wrap:wrap;gap:4px 10px;align-items:baseline;max-width:none}
.feature .facts{color:var(--soft);font-size:.85rem}
.claim{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:12px 14px;margin:12px 0}
.claim header{padding:0;display:flex;flex-wrap:wrap;gap:4px 10px;align-items:baseline;max-width:none}
.claim h3{overflow-wrap:anywhere}.claim h4{font-size:.9rem;margin:10px 0 2px}.claim ul{margin:2px 0;padding-left:20px;font-size:.9rem}.claim li{overflow-wrap:anywhere}
.tier{color:var(--soft);font-size:.85rem}
.warning{border-left:4px solid var(--fail);padding:6px 10px;background:var(--card)}
.tokens{display:flex;flex-wrap:wrap;gap:4px;margin:4px 0;font-size:.85rem}
.feature header span,td>span,.tokens span{unicode-bidi:isolate}
.tokens span{border:1px solid var(--rule);border-radius:4px;padding:0 5px}
.example{font:13px/1.75 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere;unicode-bidi:plaintext;padding:2px 0;border-top:1px solid var(--rule)}
.example b{float:right;font-weight:400;color:var(--soft);margin-left:10px}
mark{color:inherit;border-radius:3px;padding:1px 0;background:rgb(var(--mark)/var(--a))}
mark.peak{outline:1.5px solid var(--accent)}
${shadeRules.join('')}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 14px;margin:8px 0}dt{color:var(--soft)}dd{margin:0;min-width:0;overflow-wrap:anywhere}
.answers{display:block;margin:14px 0;background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:4px 14px}.answers>div{display:grid;grid-template-columns:minmax(9em,14em) 1fr;gap:2px 14px;padding:8px 0;border-bottom:1px solid var(--rule)}.answers>div:last-child{border-bottom:0}.answers dt{color:var(--ink);font-weight:600}
@media (max-width:700px){.answers>div{grid-template-columns:1fr}}
details{margin-top:6px}summary{cursor:pointer;color:var(--soft)}
code{font:.88em ui-monospace,SFMono-Regular,Menlo,monospace;overflow-wrap:anywhere}
.sub{margin:18px 0 8px}
.nothing{color:var(--soft)}
@media screen and (max-width:900px){table:not(.blocks) td:first-child{min-width:7em}}
@media screen and (max-width:520px){.drawing{overflow-x:auto;background:linear-gradient(90deg,var(--card) 30%,transparent) 0 0/36px 100% no-repeat local,linear-gradient(270deg,var(--card) 30%,transparent) 100% 0/36px 100% no-repeat local,linear-gradient(90deg,rgb(128 128 128/.45),transparent) 0 0/10px 100% no-repeat,linear-gradient(270deg,rgb(128 128 128/.45),transparent) 100% 0/10px 100% no-repeat}.drawing:not(.wide) svg{min-width:400px}.claim{padding:10px 8px}.claim figure{padding:8px 6px}}
@media screen and (max-width:900px){
table.blocks,.blocks tbody,.blocks tr,.blocks td{display:block;width:auto}
.blocks thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.blocks tr{padding:8px 12px;border-bottom:1px solid var(--rule)}
.blocks tr:last-child{border-bottom:0}
.blocks td,.blocks td.number{display:flex;justify-content:space-between;gap:14px;padding:2px 0;border:0;text-align:right}
.blocks td::before{content:attr(data-name);color:var(--soft);text-align:left;flex:0 0 38%}
table.blocks td:first-child{display:block;min-width:0;text-align:left;font-weight:600}
.blocks td:first-child::before{content:none}
}
@media (forced-colors:active){.key i,mark{forced-color-adjust:none}}
@media print{
:root{--back:#fff;--card:#fff;--ink:#000;--soft:#4a4f55;--rule:#c9cdd2;--accent:#2463c4;--tone1:#c2571a;--tone2:#2e8555;--tone3:#8a4fb8;--pass:#17693d;--fail:#a52a1d;--open:#7d5200;--mark:36 99 196;--less:194 87 26;--more:36 99 196}
.twin,.copies{display:none}
body{font-size:10.5pt;print-color-adjust:exact;-webkit-print-color-adjust:exact}
header,main{max-width:none;padding:0 1px}
nav{display:none}
.scroll,.scroll.long{overflow:visible;max-height:none}
table{font-size:8.5pt}th,td{padding:3px 5px}
td small{font-size:7.5pt}
h2{margin:18px 0 6px}.answers{margin:8px 0}.answers>div{padding:3px 0}figure{padding:6px 8px}figcaption{font-size:9pt}figure p{font-size:8pt;line-height:1.35;margin:3px 0}
tr,figure,.tile,.feature,.example,.claim header,.claim li{break-inside:avoid}
.feature header,.claim header{break-after:avoid}
thead{display:table-header-group}
h2,h3{break-after:avoid}
.charts{display:block;orphans:1;widows:1}
.charts>figure,.charts>div>figure{display:inline-block;width:49%;vertical-align:top;margin:0 0 8px}
.feature details:not([open]){display:none}
.claims details::details-content{display:block;content-visibility:visible}
table.blocks td:first-child{min-width:7em}
}
td .whole,td.whole,code .whole{white-space:nowrap}.scroll.long{max-height:80vh;overflow:auto}
header>nav:first-child{margin:0 0 18px;border-top:0}
input,button{font:inherit;color:inherit;background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:4px 10px;max-width:100%}
button{cursor:pointer;white-space:nowrap}:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
h3.strata{margin:14px 0 6px}
footer{max-width:1180px;margin:40px auto;padding:0 16px;color:var(--soft)}
`

/** What the pages of the server need beyond the report's style: navigation, the browser of features, panels, keys. */
export const pageStyle = `
.skip{position:absolute;left:-999px}.skip:focus{left:16px;top:4px;background:var(--card);padding:6px 12px;z-index:9}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
header nav a,header nav button{min-height:24px}
main nav{border:0;padding:0}
a{text-underline-offset:2px}main p a,main li a,main dd a{text-decoration:underline}
button.plain{border:0;background:none;padding:0;color:var(--accent)}
#announcement{position:fixed;right:16px;bottom:16px;padding:8px 14px;border-radius:8px;background:var(--ink);color:var(--back);opacity:0;pointer-events:none}
#announcement.shown{opacity:1}
.copies{display:flex;flex-wrap:wrap;gap:8px;margin-top:6px}.copies button{font-size:.8rem;padding:2px 8px;min-height:24px}
.known{cursor:pointer;text-decoration:underline dotted;text-decoration-color:var(--soft);text-underline-offset:3px;min-height:24px;display:inline-block}
#origin,dialog{background:var(--card);color:var(--ink);border:1px solid var(--soft);border-radius:10px;padding:14px 18px;max-width:min(560px,94vw);overflow-wrap:anywhere}
dialog::backdrop{background:rgb(0 0 0/.35)}
#origin dd small{display:block;color:var(--soft)}#origin p{display:flex;gap:8px}#origin{max-height:80vh;overflow:auto}
.drawing[data-marks]{cursor:pointer}.current{fill:none;stroke:var(--ink);stroke-width:1.5;pointer-events:none}tr.found{outline:2px solid var(--accent)}
.roc{grid-template-columns:minmax(0,640px)}.roc form{display:flex;flex-wrap:wrap;gap:8px 12px;align-items:center}.roc input[type=range]{width:min(340px,70vw);padding:0}
@media (min-width:901px){.play table td:nth-child(2):not(.number){min-width:9em}}.play th{overflow-wrap:break-word}.fields input:not([type=checkbox]),.fields select,.fields button{min-height:32px}
kbd{border:1px solid var(--soft);border-radius:4px;padding:0 6px}
.fields{display:flex;flex-wrap:wrap;gap:8px 12px;align-items:end}.fields label{display:flex;flex-direction:column;font-size:.85rem;color:var(--soft)}
.fields input{width:11em}.fields .wide{flex:1 1 16em}.fields .wide input{width:100%}
.chips{border:0;padding:0;margin:10px 0 0;display:flex;flex-wrap:wrap;gap:6px}.chips button{border-radius:99px;font-size:.85rem;min-height:26px;padding:2px 12px}
.chips button[aria-pressed=true]{background:var(--accent);color:var(--back);border-color:var(--accent)}
.browser{height:min(72vh,900px);min-height:320px;overflow:auto;border:1px solid var(--rule);border-radius:8px;background:var(--card)}
.browser table{table-layout:fixed;min-width:900px}
.browser thead th{position:sticky;top:0;background:var(--card);z-index:1;padding:0;border-bottom:1px solid var(--soft)}
.browser th button{border:0;background:none;width:100%;text-align:inherit;font-weight:600;color:var(--soft);padding:6px 10px;min-height:36px;white-space:nowrap}
.browser td{height:36px;padding:0 10px;white-space:nowrap;overflow:hidden;text-overflow:ellipsis;vertical-align:middle}
.browser .space td{padding:0;border:0}.browser .label{width:26%}.browser .effect{width:19%}.browser .first{width:84px}.browser th button,.browser td{padding-left:6px;padding-right:8px}
.browser td.first a{display:inline-block;min-width:24px;line-height:24px}
.tabs{display:flex;flex-wrap:wrap;gap:4px;border-bottom:1px solid var(--rule);padding:0}.tabs a{padding:4px 12px;border-radius:8px 8px 0 0;min-height:24px}
.tabs a[aria-current]{background:var(--card);border:1px solid var(--rule);border-bottom-color:var(--card);color:var(--ink);font-weight:600}
.command{display:block;background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:8px 12px;margin:6px 0;overflow-x:auto}
.examples{background:var(--card);border:1px solid var(--rule);border-radius:8px;padding:6px 12px}
.u-series.extent{display:none}.whole-row{grid-column:1/-1}.plot{min-height:220px}.u-legend{font-size:.8rem;color:var(--soft)}.play textarea{width:100%;font:inherit;color:inherit;background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:6px 10px}.play .fields{margin:8px 0}.play .token{border-bottom:1px solid var(--rule);margin-right:5px;display:inline-block;white-space:pre-wrap}.went dt{font-size:.85rem}.went{display:block}.went>div{padding:4px 0;border-bottom:1px solid var(--rule)}.went dd{white-space:pre-wrap}.fields .check{flex-direction:row;align-items:center;gap:6px;min-height:32px}.fields .check input{width:auto}.registered{border:1px solid var(--rule);border-radius:8px;padding:8px 12px}pre.command{font-size:.82rem;white-space:pre-wrap}.edits{list-style:none;padding:0}.edits li{border:1px solid var(--rule);border-radius:8px;padding:8px 10px;margin:6px 0;background:var(--card)}.tall{max-height:60vh;overflow:auto}.play td small{white-space:normal}select{font:inherit;color:inherit;background:var(--card);border:1px solid var(--rule);border-radius:6px;padding:4px 8px;max-width:100%}input[type=checkbox],input[type=range]{accent-color:var(--accent)}td label{display:inline-flex;gap:8px;align-items:center;min-height:24px}main table a,main td button{display:inline-block;min-height:24px;min-width:24px}
.two>*{min-width:0}.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,360px),1fr));gap:14px}
.changed td{background:rgb(var(--less)/.12)}
@media (max-width:700px){.browser table{min-width:0}.browser .less{display:none}.browser .label{width:46%}.browser .first{width:66px}.browser .effect{display:none}.fields label,.fields input{width:100%}}
.frontier svg.scatter{touch-action:pan-y;user-select:none}.panel{margin:10px 0}.ranges{display:grid;grid-template-columns:repeat(auto-fill,minmax(220px,1fr));gap:10px}.range{padding:8px 10px;min-width:0}.range svg{cursor:crosshair;touch-action:none}.range .ends{display:flex;flex-wrap:wrap;gap:6px;font-size:.82rem;margin-top:4px}.range .ends input{width:6.4em;padding:2px 6px}.brush{fill:var(--accent);fill-opacity:.2;stroke:var(--accent);pointer-events:none}.file{margin-right:10px;display:inline-block;min-height:24px}
@media (prefers-reduced-motion:no-preference){#announcement{transition:opacity .2s}}
@media print{.browser{height:auto;overflow:visible}.roc form,.panel,.filters,.skip,.tabs,#announcement,button{display:none}}
`

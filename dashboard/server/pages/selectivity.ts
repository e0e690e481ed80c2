/** How well the latent tells its concept at each threshold: the curve, a slider, and what the threshold chosen gives. HTML. */
import { roc as rocContract } from '../../api/contracts/feature.ts'
import { escapeHtml } from '../../html.ts'
import { placeOf, rocFigure, saidAt } from '../../report/selectivity.ts'
import type { Ask } from './ask.ts'

export interface SelectivityAsked {
  readonly run: string
  readonly latent: string
  /** As the address has it; '' for the one with the best F1. */
  readonly threshold: string
  /** What else the address says, to be kept. */
  readonly kept: Readonly<Record<string, string>>
}

export async function selectivityHtml(ask: Ask, { run, latent, threshold, kept }: SelectivityAsked): Promise<string> {
  const found = await ask(rocContract, { parts: { run, latent } })
  const { points } = found
  if (points.length === 0)
    return '<p class="nothing">It fires on none of the tokens that selectivity was measured on.</p>'
  const chosen = placeOf(points, threshold)
  const most = points[0]!.threshold
  const hidden = Object.entries(kept)
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`)
  const figure = rocFigure(found, latent, chosen)
  return `<div class="charts roc"><div><form method="get" action="#selectivity" data-roc=""><label>Threshold <input type="range" name="threshold" min="0" max="${most}" step="any" value="${points[chosen]!.threshold}"></label>${hidden.join('')}<button>Show</button></form>
<p data-said="" role="status">${saidAt(points, chosen)}</p>${figure}</div></div>`
}

/** Effects drawn by hand, as validation measures them: what is true of them is known exactly. */
import type { Random } from '../../core/random.ts'
import type { Claim } from '../evidence.ts'
import type { EffectRow } from '../rows.ts'

export interface HandMade {
  readonly documents: number
  /** Windows of each document, with a spread of their own as large as that between documents. */
  readonly windows?: number
  /** The true effect in the claimed direction beyond what controls do on average. */
  readonly effect: number
  /** Standard deviation of the effect between documents, and of the mean effect between controls. */
  readonly spread: { readonly documents: number; readonly controls: number }
  /** Controls of each kind. */
  readonly controls?: number
  /** The distribution of documents' deviations, with mean 0 and variance 1; default: normal. */
  readonly shape?: (random: Random) => number
}

/** What the hand-made claim says: ablation lowers the target. */
export const handMadeClaim: Claim = {
  ...{
    feature: 0,
    stated: 'settings',
    concept: null,
    hypothesis: 'drawn by hand',
    metric: 'target',
    primary: 'ablate',
  },
  ...{ direction: 'decrease', smallestEffect: 0.05, alpha: 0.05, power: 0.8, controls: {}, strata: {}, falsifiers: [] },
  target: { source: 'activations', separation: 0, counted: { concept: 0, rest: 0 }, tokens: [] },
  discovery: { density: 0, auroc: null, unit: 1, maximum: 1, held: 1 },
  ...{ selection: null, dose: 1, doses: [], documents: { ablate: [], steer: [] } },
}

/** Share of a document's deviation that its paired controls show, too, each with its own. */
const controlNoise = 0.25

/** The rows of one latent with random, foreign and tied controls, whose mean effect is 0; a tied one has documents of its own. */
export function handMadeRows(random: Random, made: HandMade): EffectRow[] {
  const { documents, windows = 1, effect, spread, controls = 99, shape = one => one.normal() } = made
  const rows: EffectRow[] = []
  const row = (
    control: EffectRow['control'],
    controlId: number | null,
    document: string,
    window: number,
    size: number,
  ) =>
    rows.push({
      ...{ feature: 0, intervention: 'ablate' as const, dose: 0, control, controlId, document },
      ...{ window: `${document}#${window}`, positions: 1, norm: 1, target: -size, loss: 0, kl: 0 },
    })
  for (let d = 0; d < documents; d++) {
    const own = effect + spread.documents * shape(random)
    for (let w = 0; w < windows; w++)
      row('feature', null, `d${d}`, w, own + (windows > 1 ? spread.documents * random.normal() : 0))
  }
  for (const kind of ['random', 'foreign'] as const)
    for (let id = 0; id < controls; id++) {
      const level = spread.controls * random.normal()
      for (let d = 0; d < documents; d++)
        row(kind, id, `d${d}`, 0, level + controlNoise * spread.documents * random.normal())
    }
  for (let id = 0; id < controls; id++) row('tied', id, `own${id}`, 0, spread.controls * random.normal())
  return rows
}

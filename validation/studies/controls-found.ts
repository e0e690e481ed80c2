/** What the study controls makes of its rows: each kind's effect, its share of the latent's, and the latent's rank among its controls. */
import { mean } from '../../statistics/descriptive.ts'
import { rankP } from '../../statistics/tests/permutation.ts'
import type { ControlsFound } from '../contracts/controls.ts'
import { finite } from '../judging/analyse.ts'
import type { AssembleSettings } from '../judging/assemble.ts'
import { byDocument, groupRows, isPaired } from '../judging/values.ts'
import type { EffectRow } from '../rows.ts'
import { ratioOfMeans } from './ratio.ts'
import type { TestedLatent } from './study.ts'

/** What one control does in one window. */
export type ControlsRow = {
  readonly control: string
  readonly controlId: number | null
  readonly document: string
  readonly window: string
  /** What the latent's change was multiplied by; null where the control has a change of its own. */
  readonly scale: number | null
  readonly norm: number
  readonly target: number
  readonly kl: number
}

/** A kind's values: for each control one a document, in the order given. */
interface Kind {
  readonly control: string
  readonly target: readonly (readonly number[])[]
  readonly norm: number | null
  readonly kl: number | null
}

/** The findings of one latent, of rows alone. */
export function findingsOf({ rows, effects }: TestedLatent<ControlsRow>, { alpha }: AssembleSettings): ControlsFound {
  const own = rows.filter(({ control }) => control === 'latent')
  const documents = [...new Set(own.map(({ document }) => document))]
  const latent = byDocument(own, documents, ({ target }) => target)
  const kindsOf = [...measuredHere(rows, documents), ...measuredBefore(effects, documents)]
  return {
    effect: finite(mean(latent)),
    norm: finite(mean(own.map(({ norm }) => norm))),
    kl: finite(mean(own.map(({ kl }) => kl))),
    kinds: kindsOf.map(({ control, target, norm, kl }) => {
      const means = target.map(mean)
      const paired = isPaired(control)
      const byPlace = paired ? documents.map((_, d) => mean(target.map(values => values[d]!))) : []
      return {
        ...{ control, count: target.length, effect: finite(mean(means)), norm, kl },
        share: paired ? ratioOfMeans(byPlace, latent, 1 - alpha) : null,
        p: rankP(mean(latent), means, 'less'),
      }
    }),
    strongest: rows.find(({ control }) => control === 'strongest')?.controlId ?? null,
  }
}

/** The kinds of this study. */
function measuredHere(rows: readonly ControlsRow[], documents: readonly string[]): Kind[] {
  const names = [...new Set(rows.map(({ control }) => control))].filter(control => control !== 'latent')
  return names.map(control => {
    const own = rows.filter(row => row.control === control)
    return {
      control,
      target: [...new Set(own.map(({ controlId }) => controlId))].map(id =>
        byDocument(
          own.filter(({ controlId }) => controlId === id),
          documents,
          ({ target }) => target,
        ),
      ),
      norm: finite(mean(own.map(({ norm }) => norm))),
      kl: finite(mean(own.map(({ kl }) => kl))),
    }
  })
}

/** The kinds of the main test's ablation; tied ones have documents of their own, so that they have no share by document. */
function measuredBefore(effects: readonly EffectRow[], documents: readonly string[]): Kind[] {
  const grouped = groupRows(effects, 'ablate', 0)
  if (grouped.documents.length === 0) return []
  const order = documents.map(document => grouped.documents.indexOf(document))
  return [...grouped.controls].map(([control, each]) => ({
    control,
    target: each.map(({ target }) => (isPaired(control) ? order.map(d => target[d]!) : [mean(target)])),
    norm: null,
    kl: null,
  }))
}

/**
 * Study: what each kind of control does, as a share of what ablating the latent does. Beside the kinds of the main test, each
 * question that an effect may be asked has a control of its own:
 *
 * - `matched`, `strongest`: the latent's own edit along other latents that fire alike, and along the one that tells its concept best;
 * - `projection-…`: a control takes out what it finds of itself, (x − b)·u, where the latent takes out its activation;
 * - `equal-kl-…`: the latent's edit along a control, scaled until it changes the prediction as much as the latent does;
 * - `reconstruct`: the SAE's reconstruction in place of the value, with and without its error.
 */

import { Random } from '../../core/random.ts'
import { onHost } from '../../engine/host.ts'
import { tf } from '../../engine/tf.ts'
import { siteRows } from '../../latents/activations.ts'
import { mean } from '../../statistics/descriptive.ts'
import { rankP } from '../../statistics/tests/permutation.ts'
import { type LatentPlan, type Study, sameConceptAuroc } from '../claims/plan.ts'
import { inputCentre } from '../claims/tied.ts'
import type { ControlsFound } from '../contracts/controls.ts'
import { likenessOf } from '../controls/firing.ts'
import { copyCosine } from '../controls/foreign.ts'
import { controls as kinds } from '../controls/index.ts'
import { finite } from '../judging/analyse.ts'
import type { AssembleSettings } from '../judging/assemble.ts'
import { byDocument, groupRows, isPaired } from '../judging/values.ts'
import type { ClaimDocument, EffectRow } from '../rows.ts'
import { ratioOfMeans } from './ratio.ts'
import { latentStudy, type TestedLatent } from './study.ts'
import { bankOf, directionOf, effectsOf, fewestControls, isTested } from './subject.ts'

type Row = {
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

/** A direction that is measured, of length 1 or the latent's own. */
interface Direction {
  readonly control: string
  readonly controlId: number | null
  readonly row: Float32Array
}

/** Factors that bring a control's KL to the latent's are sought within these bounds. */
const scaleBounds = { least: 1 / 64, most: 64 } as const
/** Measurements of each control on the way to equal KL; the last one counts. */
const searches = 4

export const controlsStudy = latentStudy<Row, ControlsFound>({
  name: 'controls',
  question: 'What share of the latent’s effect does each kind of control have?',
  byDefault: false,
  definitions: {
    share:
      'mean effect of a kind’s controls by the latent’s on the same documents, with Fieller’s interval; ablation throughout',
    matched:
      'the latent’s edit along the foreign latents nearest to it in density, mean activation and tokens fired at',
    strongest: 'the latent’s edit along the other latent, no near copy, that tells its concept best on discovery text',
    'projection-random':
      'where the latent’s activation is taken out, a random direction takes out what it finds of itself, (x − b)·u with b the decoder bias; projection-foreign: the same of other latents',
    'equal-kl-random':
      'the latent’s edit along a random direction, scaled in three steps until its mean KL over documents is the latent’s; equal-kl-foreign: the same of other latents',
    reconstruct: 'the reconstruction in place of the value at the latent’s positions',
    'reconstruct-error': 'the same with the SAE’s error added back: nothing but rounding',
  },
  columns: {
    control: 'string',
    controlId: 'int32?',
    document: 'string',
    window: 'string',
    scale: 'float64?',
    norm: 'float64',
    target: 'float64',
    kl: 'float64',
  },

  async measure({ study, pause }, plan) {
    if (!isTested(plan)) return []
    const own = directionOf(study, plan.claim.feature)
    const length = Math.hypot(...own)
    const scaled = (rows: readonly Direction[]) => rows.map(one => ({ ...one, row: one.row.map(x => x * length) }))
    const drawn = [...directionsOf(plan, 'random', study), ...directionsOf(plan, 'foreign', study)]
    const latent = { control: 'latent', controlId: null, row: own }
    const rows = await sameEdits(study, plan, [latent, ...scaled(alikeOf(study, plan))], pause)
    const kl = mean(rows.filter(({ control }) => control === 'latent').map(row => row.kl))
    for (const place of plan.documents.ablate) {
      rows.push(...projections(study, plan, place, drawn), ...reconstructions(study, plan, place))
      await pause()
    }
    rows.push(...(await equalKl(study, plan, scaled(drawn), kl, pause)))
    return rows
  },

  judge: (tested, settings) => tested.map(one => (one.rows.length === 0 ? null : findingsOf(one, settings))),
})

/** The first of a plan's controls of a kind, as few as can show a rank. */
function directionsOf({ controls }: LatentPlan, control: 'random' | 'foreign', { config, sae }: Study): Direction[] {
  const drawn = controls[control]
  const count = Math.min(drawn?.ids.length ?? 0, fewestControls(config.alpha))
  return Array.from({ length: count }, (_, i) => ({
    control,
    controlId: drawn!.ids[i]!,
    row: drawn!.directions.slice(i * sae.width, (i + 1) * sae.width),
  }))
}

/** Latents that fire like the one under test, and the one that tells its concept best, as unit directions. */
function alikeOf(study: Study, { claim, concept }: LatentPlan): Direction[] {
  const { sae, decoder, discovery, text, samples, config, seed } = study
  const { feature } = claim
  const active = text.candidates.map(({ latent }) => latent)
  const aurocOf = (latent: number) => (concept < 0 ? 0 : text.aurocs[latent * text.concepts.length + concept]!)
  const sameConcept = new Set(concept < 0 ? [] : active.filter(latent => aurocOf(latent) >= sameConceptAuroc))
  const { ids, directions } = kinds.matched.draw(
    {
      ...{ width: sae.width, latent: feature, decoder, active, sameConcept, samples },
      likeness: others => likenessOf(discovery, feature, others),
      random: new Random(seed, 'matched', feature),
    },
    fewestControls(config.alpha),
  )
  const found: Direction[] = ids.map((id, i) => ({
    control: 'matched',
    controlId: id,
    row: directions.slice(i * sae.width, (i + 1) * sae.width),
  }))
  if (concept < 0) return found
  const own = unit(directionOf(study, feature))
  const strongest = active
    .filter(latent => latent !== feature && aurocOf(latent) > 0.5)
    .sort((a, b) => aurocOf(b) - aurocOf(a) || a - b)
    .map(latent => ({ control: 'strongest', controlId: latent, row: unit(directionOf(study, latent)) }))
    .find(({ row }) => Math.abs(dot(row, own)) <= copyCosine)
  return strongest ? [...found, strongest] : found
}

/** Ablation takes the latent away where it is active, here along each of these directions; by document and direction. */
async function sameEdits(
  study: Study,
  { claim, documents, target }: LatentPlan,
  directions: readonly Direction[],
  pause: () => Promise<void>,
  scales: readonly number[] = directions.map(() => 1),
): Promise<Row[]> {
  if (directions.length === 0) return []
  const bank = bankOf(directions.map(({ row }) => row))
  const rows: Row[] = []
  try {
    for (const { document, window, activations } of documents.ablate) {
      const positions = [...activations.keys()]
      const edits = directions.map((_, direction) => ({
        direction,
        positions,
        change: Float32Array.from(activations.values(), value => -value * scales[direction]!),
      }))
      const effects = effectsOf(study, claim.feature, { window, positions, edits, bank, weights: target.weights })
      effects.forEach(({ norm, target, kl }, i) => {
        const { control, controlId } = directions[i]!
        rows.push({ control, controlId, document, window: window.id, scale: scales[i]!, norm, target, kl })
      })
      await pause()
    }
  } finally {
    bank.dispose()
  }
  return rows
}

/** Each direction scaled until its mean KL over the windows is `wanted`: the square root first, then the slope that two give. */
async function equalKl(
  study: Study,
  plan: LatentPlan,
  directions: readonly Direction[],
  wanted: number,
  pause: () => Promise<void>,
): Promise<Row[]> {
  if (!(wanted > 0)) return []
  let scales = directions.map(() => 1)
  let before: { scales: readonly number[]; kl: readonly number[] } | undefined
  for (let search = 1; ; search++) {
    const rows = await sameEdits(study, plan, directions, pause, scales)
    if (search === searches) return rows.map(row => ({ ...row, control: `equal-kl-${row.control}` }))
    const kl = directions.map((_, i) =>
      mean(rows.filter((_row, place) => place % directions.length === i).map(row => row.kl)),
    )
    const last = before
    before = { scales, kl }
    scales = scales.map((scale, i) =>
      nextScale(wanted, { scale, kl: kl[i]! }, last && { scale: last.scales[i]!, kl: last.kl[i]! }),
    )
  }
}

interface Tried {
  readonly scale: number
  readonly kl: number
}

/** The scale that should give the wanted KL, which rises as a power of the scale: of 2, or that which two trials tell. */
export function nextScale(wanted: number, now: Tried, last?: Tried): number {
  if (!(now.kl > 0)) return Math.min(scaleBounds.most, 2 * now.scale)
  const told =
    last && last.kl > 0 && last.scale !== now.scale ? Math.log(now.kl / last.kl) / Math.log(now.scale / last.scale) : 2
  const power = Math.min(4, Math.max(0.5, told))
  return Math.min(scaleBounds.most, Math.max(scaleBounds.least, now.scale * (wanted / now.kl) ** (1 / power)))
}

/** Controls that take out what they find of themselves where the latent is active. */
function projections(
  study: Study,
  { claim, target }: LatentPlan,
  { document, window, activations }: ClaimDocument,
  directions: readonly Direction[],
): Row[] {
  if (directions.length === 0) return []
  const { width } = study.sae
  const values = valuesIn(study, window.tokens)
  const centre = inputCentre(study.sae)
  const positions = [...activations.keys()]
  const edits = directions.map(({ row }, direction) => ({
    direction,
    positions,
    change: Float32Array.from(positions, position => {
      let found = 0
      for (let j = 0; j < width; j++) found += (values[position * width + j]! - centre[j]!) * row[j]!
      return -found
    }),
  }))
  const bank = bankOf(directions.map(({ row }) => row))
  try {
    const effects = effectsOf(study, claim.feature, { window, positions, edits, bank, weights: target.weights })
    return effects.map(({ norm, target, kl }, i) => {
      const { control, controlId } = directions[i]!
      return { control: `projection-${control}`, controlId, document, window: window.id, scale: null, norm, target, kl }
    })
  } finally {
    bank.dispose()
  }
}

/** The reconstruction in place of the values at the latent's positions, without and with the SAE's error. */
function reconstructions(
  study: Study,
  { claim, target }: LatentPlan,
  { document, window, activations }: ClaimDocument,
): Row[] {
  const { sae } = study
  const { width } = sae
  const values = valuesIn(study, window.tokens)
  const rebuilt = onHost(() =>
    sae.reconstruct(tf.tensor2d(values.slice(), [window.tokens.length, width])).dataSync<'float32'>(),
  ) as Float32Array
  const positions = [...activations.keys()]
  const rows = (back: (x: number, y: number) => number) =>
    positions.map(position =>
      Float32Array.from({ length: width }, (_, j) => {
        const at = position * width + j
        return Math.fround(back(values[at]!, rebuilt[at]!) - values[at]!)
      }),
    )
  const without = rows((_, y) => y)
  const withError = rows((x, y) => Math.fround(y + Math.fround(x - y)))
  const bank = bankOf([...without, ...withError])
  const termsFrom = (start: number) =>
    positions.map((_, i) => ({
      direction: start + i,
      change: Float32Array.from(positions, (_position, k) => (k === i ? 1 : 0)),
    }))
  const edits = [0, positions.length].map(start => {
    const [first, ...also] = termsFrom(start)
    return { ...first!, positions, also }
  })
  try {
    const effects = effectsOf(study, claim.feature, { window, positions, edits, bank, weights: target.weights })
    return effects.map(({ norm, target, kl }, i) => ({
      ...{ control: i === 0 ? 'reconstruct' : 'reconstruct-error', controlId: null, document, window: window.id },
      ...{ scale: null, norm, target, kl },
    }))
  } finally {
    bank.dispose()
  }
}

/** Values at the site in a window [tokens, width]. */
function valuesIn({ model, sae }: Study, tokens: Int32Array): Float32Array {
  return onHost(
    () =>
      siteRows(
        model,
        sae.metadata.hook_name,
        tf.tensor2d(tokens, [1, tokens.length], 'int32'),
      ).dataSync<'float32'>() as Float32Array,
  )
}

const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, x, j) => sum + x * b[j]!, 0)

function unit(row: Float32Array): Float32Array {
  const length = Math.hypot(...row)
  return length > 0 ? row.map(x => x / length) : row
}

/** A kind's values: for each control one a document, in the order given. */
interface Kind {
  readonly control: string
  readonly target: readonly (readonly number[])[]
  readonly norm: number | null
  readonly kl: number | null
}

function findingsOf({ rows, effects }: TestedLatent<Row>, { alpha }: AssembleSettings): ControlsFound {
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
function measuredHere(rows: readonly Row[], documents: readonly string[]): Kind[] {
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

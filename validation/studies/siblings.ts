/**
 * Do other SAEs of the same site have the latent, and does theirs do the same? Decoder rows are matched one to one as `sae
 * compare` does it. A partner is read with its own SAE, on documents in which it is active, and has the same intervention,
 * target and controls as the latent under test, at its own decoder row's length; then it is held to the rule by itself.
 *
 * A partner has a direction of its own, so that only its effect on the target says that it is the same: a cosine of .9 need
 * not, and one of .3 may.
 */
import { onHost } from '../../engine/host.ts'
import { type Activations, encodeWindows, firstPosition, valuesOf } from '../../latents/activations.ts'
import { type Comparison, compareSaes } from '../../sae/measure/compare.ts'
import { quantile } from '../../statistics/descriptive.ts'
import { clopperPearson } from '../../statistics/intervals/clopper-pearson.ts'
import { drawFor } from '../claims/claims.ts'
import type { LatentPlan, Material } from '../claims/plan.ts'
import type { Siblings } from '../contracts/siblings.ts'
import type { Sibling } from '../inputs.ts'
import { meanInterval } from '../judging/interval.ts'
import { ruled } from '../judging/passes.ts'
import { type ClaimDocument, fewestDocuments } from '../rows.ts'
import { latentStudy, type StudyContext, type StudySettings, type TestedLatent } from './study.ts'
import { controlledBank, effectsOf, isTested } from './subject.ts'

/** |cosine| from which two latents count as the same. */
const sameCosine = 0.7

/** An effect of a partner or one of its controls on a window; without a window, that an SAE has no partner to measure. */
export interface SiblingRow {
  readonly [key: string]: number | string | null
  readonly sae: string
  readonly hash: string
  readonly match: number | null
  readonly cosine: number | null
  readonly document: string | null
  readonly control: string | null
  readonly controlId: number | null
  readonly target: number | null
}

export const siblings = latentStudy<SiblingRow, Siblings>({
  name: 'siblings',
  question: 'Do other SAEs of the site have the latent, and does theirs do the same?',
  byDefault: true,
  definitions: {
    cosine: '|cosine| of the two decoder rows in the best one-to-one matching of both SAEs; matched from .7 on',
    difference:
      'mean over the partner’s own documents of its effect on the claim’s target less the mean effect of random or foreign directions of equal norm, whichever leave less, as claimed',
    passes:
      'whether a matched partner passes by the rule of causal claims against these controls, at level α; directions that fire as often are not among them, so that one that is not matched says nothing',
    passed: 'SAEs whose partner is matched and passes; low and high are Clopper and Pearson’s interval of their share',
    finding:
      'replicates where every SAE has a matched partner that passes, in-some, in-none, or unmatched where no SAE has a matched partner',
  },
  columns: {
    sae: 'string',
    hash: 'string',
    match: 'int32?',
    cosine: 'float32?',
    document: 'string?',
    control: 'string?',
    controlId: 'int32?',
    target: 'float64?',
  },
  measure,
  judge: (tested, settings) => tested.map(one => judgeOne(one, settings)),
})

/** What is known of a sibling, for all latents: its matching, and what it does on both splits. */
interface Read {
  readonly comparison: Comparison
  readonly discovery: Activations
  readonly validation: Activations
  readonly decoder: Float32Array
}

const known = new WeakMap<Material, Map<Sibling, Promise<Read>>>()

function readSibling(bench: StudyContext, sibling: Sibling): Promise<Read> {
  const own = known.get(bench.material) ?? new Map<Sibling, Promise<Read>>()
  known.set(bench.material, own)
  const found = own.get(sibling) ?? readNow(bench, sibling)
  own.set(sibling, found)
  return found
}

async function readNow({ context, material, inputs }: StudyContext, { sae }: Sibling): Promise<Read> {
  const options = { batchTokens: inputs.config.batchTokens, signal: context.signal }
  return {
    comparison: await compareSaes(material.sae, sae, { draws: 0, signal: context.signal }),
    discovery: await encodeWindows(material.model, sae, material.discovery.windows, options),
    validation: await encodeWindows(material.model, sae, material.validation.windows, options),
    decoder: onHost(() => sae.decoder().dataSync<'float32'>() as Float32Array),
  }
}

async function measure(bench: StudyContext, plan: LatentPlan): Promise<readonly SiblingRow[]> {
  const { material, inputs } = bench
  const rows: SiblingRow[] = []
  if (!isTested(material, plan)) return rows
  for (const sibling of inputs.siblings ?? []) {
    const { comparison, discovery, validation, decoder } = await readSibling(bench, sibling)
    const match = comparison.match[plan.claim.feature]!
    const about = {
      sae: sibling.name,
      hash: sibling.sae.hash,
      match: match < 0 ? null : match,
      cosine: match < 0 ? null : comparison.stability[plan.claim.feature]!,
    }
    const values = match < 0 ? new Float32Array() : valuesOf(discovery, match)
    const { primary } = plan.claim
    const drawn =
      values.length === 0
        ? []
        : drawFor[primary](validation, match, {
            ...material.config,
            seed: material.seed,
            lot: match,
            unitOf: material.unitOf,
          })
    if (drawn.length === 0) rows.push({ ...about, document: null, control: null, controlId: null, target: null })
    const { width } = material.sae
    const partner = {
      direction: decoder.slice(Math.max(0, match) * width, (Math.max(0, match) + 1) * width),
      unit: values.length === 0 ? 0 : quantile(values, 0.99),
    }
    for (const document of drawn) {
      await bench.pause()
      rows.push(...measureDocument(material, plan, document, partner).map(row => ({ ...about, ...row })))
    }
  }
  return rows
}

function measureDocument(
  material: Material,
  plan: LatentPlan,
  { document, window, activations }: ClaimDocument,
  { direction, unit }: { readonly direction: Float32Array; readonly unit: number },
) {
  const { claim, target } = plan
  const ablates = claim.primary === 'ablate'
  const positions = ablates
    ? [...activations.keys()]
    : Array.from({ length: window.tokens.length - firstPosition }, (_, i) => i + firstPosition)
  const value = ablates ? 0 : claim.dose * unit
  const change = Float32Array.from(positions, position => value - (activations.get(position) ?? 0))
  const { bank, rows } = controlledBank(material, plan, direction)
  try {
    const edits = rows.map((_, i) => ({ direction: i, change }))
    const effects = effectsOf(material, claim.feature, { window, positions, edits, bank, weights: target.weights })
    return rows.map((row, i) => ({ document, ...row, target: effects[i]!.target }))
  } finally {
    bank.dispose()
  }
}

function judgeOne({ claim, rows }: TestedLatent<SiblingRow>, settings: StudySettings): Siblings | null {
  const names = [...new Set(rows.map(({ sae }) => sae))]
  if (names.length === 0) return null
  const sign = claim.direction === 'decrease' ? -1 : 1
  const found = names.map(name =>
    ofSibling(
      rows.filter(({ sae }) => sae === name),
      sign,
      settings,
    ),
  )
  const matched = found.filter(one => one.matched).length
  const passed = found.filter(one => one.passes).length
  const [low, high] = clopperPearson(passed, names.length, 1 - settings.alpha)
  const finding =
    matched === 0 ? 'unmatched' : passed === names.length ? 'replicates' : passed > 0 ? 'in-some' : 'in-none'
  return { siblings: found, matched, passed, low, high, finding }
}

function ofSibling(
  rows: readonly SiblingRow[],
  sign: number,
  { alpha, smallestEffect }: StudySettings,
): Siblings['siblings'][number] {
  const { sae, hash, match, cosine } = rows[0]!
  const about = { sae, hash, match, cosine, matched: cosine !== null && cosine >= sameCosine }
  const documents = [...new Set(rows.flatMap(({ document }) => (document === null ? [] : [document])))]
  if (documents.length < fewestDocuments)
    return { ...about, documents: documents.length, difference: null, low: null, high: null, passes: false }
  const series = new Map<string, Map<string, number[]>>()
  for (const { control, controlId, document, target } of rows) {
    const key = `${control} ${controlId}`
    const own = series.get(key) ?? new Map<string, number[]>()
    series.set(key, own)
    own.set(document!, [...(own.get(document!) ?? []), sign * target!])
  }
  const byDocument = (key: string) =>
    Float64Array.from(documents, document => {
      const values = series.get(key)!.get(document)!
      return values.reduce((sum, value) => sum + value, 0) / values.length
    })
  const own = byDocument('feature null')
  const kinds = ['random', 'foreign'].flatMap(kind => {
    const keys = [...series.keys()].filter(key => key.startsWith(`${kind} `))
    return keys.length === 0 ? [] : [{ paired: keys.map(byDocument) }]
  })
  if (kinds.length === 0)
    return { ...about, documents: documents.length, difference: null, low: null, high: null, passes: false }
  const differences = kinds.map(({ paired }) =>
    Array.from(own, (value, d) => value - paired.reduce((sum, one) => sum + one[d]!, 0) / paired.length),
  )
  const centre = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0)
  const hardest = differences.reduce((least, one) => (centre(one) < centre(least) ? one : least))
  const interval = meanInterval(hardest, 1 - alpha)
  const held = ruled({ own, kinds }, { alpha, effectiveAlpha: alpha, smallestEffect })
  return {
    ...about,
    documents: documents.length,
    difference: interval.mean,
    low: interval.low,
    high: interval.high,
    passes: about.matched && held.passes,
  }
}

/**
 * The null of tied random directions: what an SAE that learned nothing would show.
 *
 * A latent fires where the values at its site reach far along its encoder, and its decoder points about the same way, so
 * that ablating it takes away something that is there, at tokens chosen for it. A random direction with encoder and decoder
 * tied does that too, and the text that follows where it fires is its target just as well (Korznikov et al. 2026,
 * arXiv:2602.14111). So each control here is a whole latent of its own: a random unit direction u that fires where
 * (x − b)·u exceeds the threshold which gives it the density of the latent under test on discovery text; with its own
 * documents, its own positions and its own target. Choosing counts, too: where the latent is the k-th best of its SAE for a
 * concept on discovery text, each control is the k-th best for it of as many random directions (`selected.ts`). The latent is
 * ranked among them.
 */
import type { Random } from '../../core/random.ts'
import type { TokenWindow } from '../../datasets/document.ts'
import { valuesOf } from '../../latents/activations.ts'
import { activationsAbove, project, type SiteValues, thresholdsAt } from '../../latents/projections.ts'
import { activationOf } from '../../sae/inference.ts'
import type { Sae } from '../../sae/sae.ts'
import { quantile } from '../../statistics/descriptive.ts'
import type { ValidateConfig } from '../config.ts'
import { type ClaimDocument, fewestDocuments } from '../rows.ts'
import { drawFor } from './claims.ts'
import { donorOf } from './edits.ts'
import type { LabelledText } from './labelled-text.ts'
import { firingTarget, type Target } from './targets.ts'

/** What random directions are drawn and projected with. */
export interface TiedSource {
  /** Values at the site on both splits, less the decoder bias where the SAE subtracts it. */
  readonly discovery: SiteValues
  readonly validation: SiteValues
  /** How many controls each latent has. */
  readonly count: number
  /** Whether loss and KL of the first of them are measured beside their targets. */
  readonly losses: boolean
  /** Whether a latent of this SAE has the projection as its value where it fires, or what exceeds its threshold. */
  readonly value: 'projection' | 'excess'
}

/** A random direction that fires like the latent under test, with all that a claim about it is made of. */
export interface TiedLatent {
  /** Its row among the directions. */
  readonly id: number
  readonly target: Target
  /** Its p99 activation on discovery text. */
  readonly unit: number
  readonly documents: readonly ClaimDocument[]
  /** Its mean activation on discovery text, tokens at which it is silent among them. */
  readonly mean: number
  /** What it says in another document than a window's, drawn by lot. */
  readonly donorIn: (window: TokenWindow) => ReadonlyMap<number, number>
}

/** Densities are matched within this factor, so that claims of about the same density share their controls. */
const densityStep = 1.25

/** The share of tokens at which the controls of a latent of this density fire. */
export function tiedDensity(density: number): number {
  return densityStep ** Math.round(Math.log(density) / Math.log(densityStep))
}

/** What the SAE subtracts from the values before it reads them [width]: its decoder bias, or nothing. */
export function inputCentre({ params, config, width }: Sae): Float32Array {
  const bias = params.b_dec
  return config.apply_b_dec_to_input && bias?.size === width
    ? (bias.dataSync<'float32'>() as Float32Array).slice()
    : new Float32Array(width)
}

/** What controls of an SAE's latents are drawn from: values at its site less `inputCentre`. */
export function tiedSource(
  sae: Sae,
  { discovery, validation }: Pick<TiedSource, 'discovery' | 'validation'>,
  count: number,
): TiedSource {
  const value = activationOf(sae.architecture) === 'relu' ? 'excess' : 'projection'
  return { discovery, validation, count, losses: true, value }
}

/** Unit directions [count, width], uniform on the sphere. */
export function randomUnits(count: number, width: number, random: Random): Float32Array {
  const directions = random.normals(count * width)
  for (let i = 0; i < count; i++) {
    let square = 0
    for (let j = i * width; j < (i + 1) * width; j++) square += directions[j]! ** 2
    const norm = Math.sqrt(square)
    for (let j = i * width; j < (i + 1) * width; j++) directions[j]! /= norm
  }
  return directions
}

/** What tied latents are made with; the same as the claims'. */
export interface TiedPlan {
  readonly text: LabelledText
  readonly config: ValidateConfig
  readonly seed: number
  readonly vocabulary: number
  readonly unitOf: (window: TokenWindow) => string
}

/**
 * The directions as latents of this density that claim a concept, by its place in the text's, or what follows their own
 * activations. Those that fire in too few validation documents are left out.
 */
export function tiedLatents(
  source: TiedSource,
  directions: Float32Array,
  density: number,
  concept: number | undefined,
  { text, config, seed, vocabulary, unitOf }: TiedPlan,
): TiedLatent[] {
  const discovery = project(source.discovery, directions)
  const thresholds = thresholdsAt(discovery, density)
  const found = activationsAbove(discovery, thresholds, source.value)
  const held = activationsAbove(project(source.validation, directions), thresholds, source.value)
  const shared = concept === undefined ? undefined : text.targetOf(concept)
  return Array.from({ length: discovery.directions }, (_, id) => id).flatMap(id => {
    const values = valuesOf(found, id)
    const documents = drawFor[config.primary](held, id, { ...config, seed, lot: 'tied', unitOf })
    if (values.length === 0 || new Set(documents.map(({ document }) => document)).size < fewestDocuments) return []
    const target = shared ?? firingTarget(found, id, vocabulary)
    const mean = values.reduce((sum, value) => sum + value, 0) / found.tokens
    const donorIn = (window: TokenWindow) => donorOf(held, id, window, 'tied', { seed, unitOf })
    return [{ id, target, unit: quantile(values, 0.99), documents, mean, donorIn }]
  })
}

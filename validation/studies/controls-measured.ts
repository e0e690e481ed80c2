/** What the study controls measures: edits along directions, projections that controls take out, and reconstructions. */
import { onHost } from '../../engine/host.ts'
import { tf } from '../../engine/tf.ts'
import { siteRows } from '../../latents/activations.ts'
import type { LatentPlan, Material } from '../claims/plan.ts'
import { inputCentre } from '../claims/tied.ts'
import type { ClaimDocument } from '../rows.ts'
import type { Direction } from './controls-drawn.ts'
import type { ControlsRow } from './controls-found.ts'
import { bankOf, effectsOf } from './subject.ts'

/** Ablation takes the latent away where it is active, here along each of these directions; by document and direction. */
export async function sameEdits(
  material: Material,
  { claim, documents, target }: LatentPlan,
  directions: readonly Direction[],
  pause: () => Promise<void>,
  scales: readonly number[] = directions.map(() => 1),
): Promise<ControlsRow[]> {
  if (directions.length === 0) return []
  const bank = bankOf(directions.map(({ row }) => row))
  const rows: ControlsRow[] = []
  try {
    for (const { document, window, activations } of documents.ablate) {
      const positions = [...activations.keys()]
      const edits = directions.map((_, direction) => ({
        direction,
        positions,
        change: Float32Array.from(activations.values(), value => -value * scales[direction]!),
      }))
      const effects = effectsOf(material, claim.feature, { window, positions, edits, bank, weights: target.weights })
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

/** Controls that take out what they find of themselves where the latent is active. */
export function projections(
  material: Material,
  { claim, target }: LatentPlan,
  { document, window, activations }: ClaimDocument,
  directions: readonly Direction[],
): ControlsRow[] {
  if (directions.length === 0) return []
  const { width } = material.sae
  const values = valuesIn(material, window.tokens)
  const centre = inputCentre(material.sae)
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
    const effects = effectsOf(material, claim.feature, { window, positions, edits, bank, weights: target.weights })
    return effects.map(({ norm, target, kl }, i) => {
      const { control, controlId } = directions[i]!
      return { control: `projection-${control}`, controlId, document, window: window.id, scale: null, norm, target, kl }
    })
  } finally {
    bank.dispose()
  }
}

/** The reconstruction in place of the values at the latent's positions, without and with the SAE's error. */
export function reconstructions(
  material: Material,
  { claim, target }: LatentPlan,
  { document, window, activations }: ClaimDocument,
): ControlsRow[] {
  const { sae } = material
  const { width } = sae
  const values = valuesIn(material, window.tokens)
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
    const effects = effectsOf(material, claim.feature, { window, positions, edits, bank, weights: target.weights })
    return effects.map(({ norm, target, kl }, i) => ({
      ...{ control: i === 0 ? 'reconstruct' : 'reconstruct-error', controlId: null, document, window: window.id },
      ...{ scale: null, norm, target, kl },
    }))
  } finally {
    bank.dispose()
  }
}

/** Values at the site in a window [tokens, width]. */
function valuesIn({ model, sae }: Material, tokens: Int32Array): Float32Array {
  return onHost(
    () =>
      siteRows(
        model,
        sae.metadata.hook_name,
        tf.tensor2d(tokens, [1, tokens.length], 'int32'),
      ).dataSync<'float32'>() as Float32Array,
  )
}

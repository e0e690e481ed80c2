/** Measures tied random directions: a row per direction and window, each with its own positions and its own target. */
import { tf } from '../engine/tf.ts'
import { firstPosition } from '../latents/activations.ts'
import { type Edit, measureEdits } from '../latents/interventions.ts'
import type { Study } from './claims/plan.ts'
import type { TiedLatent } from './claims/tied.ts'
import type { ClaimDocument, EffectRow } from './rows.ts'

/** A row of effects without the latent whose control it is: several latents may share it. */
export type TiedRow = Omit<EffectRow, 'feature'>

/**
 * The primary intervention on each tied latent in each of its windows; window by window, since many share one. `onWindow` is
 * called after each window; it may throw to stop.
 */
export async function measureTied(
  { model, sae, config }: Study,
  directions: Float32Array,
  latents: readonly TiedLatent[],
  onWindow: () => void | Promise<void>,
): Promise<TiedRow[]> {
  const intervention = config.primary
  const dose = intervention === 'ablate' ? 0 : config.dose
  const byWindow = new Map<string, { latent: TiedLatent; place: ClaimDocument }[]>()
  for (const latent of latents)
    for (const place of latent.documents)
      byWindow.set(place.window.id, [...(byWindow.get(place.window.id) ?? []), { latent, place }])
  const windows = [...byWindow.values()].sort((a, b) => a[0]!.place.window.index - b[0]!.place.window.index)
  const bank = tf.tensor2d(directions, [directions.length / sae.width, sae.width])
  const rows: TiedRow[] = []
  try {
    for (const own of windows) {
      const { window, document } = own[0]!.place
      const edits = own.map(({ latent, place }) => editOf(latent, place, intervention, dose))
      const effects = measureEdits(model, sae.metadata.hook_name, {
        window,
        positions: edits[0]!.positions,
        edits,
        bank,
        weights: own[0]!.latent.target.weights,
        batchTokens: config.batchTokens,
      })
      effects.forEach((effect, i) => {
        const { id } = own[i]!.latent
        const positions = edits[i]!.positions.length
        rows.push({
          intervention,
          dose,
          control: 'tied',
          controlId: id,
          document,
          window: window.id,
          positions,
          ...effect,
        })
      })
      await onWindow()
    }
  } finally {
    bank.dispose()
  }
  return rows
}

/** Ablation takes the latent away where it is active; steering sets it to dose × unit everywhere. */
function editOf(
  { id, target, unit }: TiedLatent,
  { window, activations }: ClaimDocument,
  intervention: 'ablate' | 'steer',
  dose: number,
): Edit & Required<Pick<Edit, 'positions'>> {
  const positions =
    intervention === 'ablate'
      ? [...activations.keys()]
      : Array.from({ length: window.tokens.length - firstPosition }, (_, i) => i + firstPosition)
  const value = intervention === 'ablate' ? 0 : dose * unit
  return {
    direction: id,
    positions,
    change: Float32Array.from(positions, position => value - (activations.get(position) ?? 0)),
    weights: target.weights,
  }
}

/** Measures tied random directions: a row per direction and window, each with its own positions and its own target. */
import { tf } from '../engine/tf.ts'
import type { Edit, EditEffect, Interventions, TargetEffect } from '../latents/interventions.ts'
import { changesOf, mainEdits, reachIn } from './claims/edits.ts'
import type { Material } from './claims/plan.ts'
import type { TiedLatent } from './claims/tied.ts'
import type { ClaimDocument, EffectRow } from './rows.ts'

/** A row of effects without the latent whose control it is: several latents may share it. */
export type TiedRow = Omit<EffectRow, 'feature'>

/** Tied latents that are measured together, of directions [count, width] from the place `first` among all on. */
export interface TiedRound {
  readonly latents: readonly TiedLatent[]
  readonly directions: Float32Array
  readonly first: number
}

/**
 * The primary intervention on each tied latent in each of its windows; window by window, since many share one. Loss and KL are
 * measured in the first round alone, if at all (`TiedSource.losses`). `onWindow` is called after each window; it may throw to stop.
 */
export async function measureTied(
  { model, sae, config, tied }: Material,
  interventions: Interventions,
  { latents, directions, first }: TiedRound,
  onWindow: () => void | Promise<void>,
): Promise<TiedRow[]> {
  const intervention = config.primary
  const dose = intervention === 'ablate' ? 0 : config.dose
  const written = mainEdits(config)[intervention]
  const strength = intervention === 'ablate' ? written.strength : dose
  const bank = tf.tensor2d(directions, [directions.length / sae.width, sae.width])
  const rowsOf = (own: readonly Visit[]) => {
    const values = new Float32Array(own.length * sae.width)
    own.forEach(({ latent: { id } }, i) => {
      values.set(directions.subarray((id - first) * sae.width, (id - first + 1) * sae.width), i * sae.width)
    })
    return values
  }
  const rows: TiedRow[] = []
  try {
    for (const own of byWindow(latents)) {
      const { window, document } = own[0]!.place
      const reach = written.kind.reaches ? reachIn(model, sae.metadata.hook_name, window, rowsOf(own)) : undefined
      const edits = own.map(({ latent, place: { activations } }, i): Edit & Pick<Required<Edit>, 'positions'> => {
        const { mean, unit } = latent
        const donor = written.kind.name === 'resample' ? latent.donorIn(window) : new Map<number, number>()
        const from = i * window.tokens.length
        const source = { activations, donor, mean, unit, reach: (position: number) => reach![from + position]! }
        const edited = changesOf(written, strength, source, window.tokens.length)
        return { direction: latent.id - first, ...edited, weights: latent.target.weights }
      })
      const { positions } = edits[0]!
      const { weights } = own[0]!.latent.target
      const asked = { window, positions, edits, bank, weights, batchTokens: config.batchTokens }
      const effects: (TargetEffect & Partial<EditEffect>)[] =
        first === 0 && tied.losses ? interventions.measure(asked) : interventions.measureTargets(asked)
      effects.forEach(({ norm, target, loss = null, kl = null }, i) => {
        const controlId = own[i]!.latent.id
        const place = { document, window: window.id, positions: edits[i]!.positions.length }
        rows.push({ intervention, dose, control: 'tied', controlId, ...place, norm, target, loss, kl })
      })
      await onWindow()
    }
  } finally {
    bank.dispose()
  }
  return rows
}

interface Visit {
  readonly latent: TiedLatent
  readonly place: ClaimDocument
}

/** The latents of each window, windows in their own order. */
function byWindow(latents: readonly TiedLatent[]): Visit[][] {
  const windows = new Map<string, Visit[]>()
  for (const latent of latents)
    for (const place of latent.documents) {
      const own = windows.get(place.window.id)
      if (own) own.push({ latent, place })
      else windows.set(place.window.id, [{ latent, place }])
    }
  return [...windows.values()].sort((a, b) => a[0]!.place.window.index - b[0]!.place.window.index)
}

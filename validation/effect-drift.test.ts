import { expect, test } from 'vitest'
import { Random } from '../core/random.ts'
import { effectDrift } from './effect-drift.ts'
import type { EffectRow } from './rows.ts'

/** Effects of three latents on twelve documents; `shift` is added to latent 5's. */
function side(seed: number, shift = 0, sae = 's') {
  const random = new Random('effects', seed)
  const rows = [3, 5, 8].flatMap(feature =>
    Array.from({ length: 12 }, (_, i): EffectRow[] => {
      const row = {
        feature,
        intervention: 'ablate' as const,
        dose: 0,
        controlId: null,
        document: `d${i}`,
        window: `d${i}`,
      }
      const effect = -1 + 0.2 * random.normal() + (feature === 5 ? shift : 0)
      return [
        { ...row, control: 'feature', positions: 1, norm: 1, target: effect, loss: null, kl: null },
        { ...row, control: 'sham', positions: 1, norm: 1, target: 50, loss: null, kl: null },
      ]
    }).flat(),
  )
  return { evidence: { site: 'hook_embed', hashes: { model: 'm', sae, dataset: 'd' } }, rows }
}

test('effects that moved are told, those that were measured again are not', () => {
  const drifted = (shift: number) =>
    effectDrift(side(1), side(2, shift), { draws: 199, seed: 0 })
      .filter(({ adjusted }) => adjusted! <= 0.01)
      .map(({ latent }) => latent)
  expect(drifted(0)).toEqual([])
  expect(drifted(0.6)).toEqual([5])
  const [first] = effectDrift(side(1), side(2), { draws: 99, seed: 0 })
  expect(first!.means[0]).toBeCloseTo(-1, 0)
  expect(first!.documents).toEqual([12, 12])
})

test('evidence of another SAE, or of other latents, is refused', () => {
  const options = { draws: 99, seed: 0 }
  expect(() => effectDrift(side(1), side(2, 0, 'other'), options)).toThrow('of different SAEs')
  const other = { ...side(2), rows: side(2).rows.map(row => ({ ...row, feature: row.feature + 100 })) }
  expect(() => effectDrift(side(1), other, options)).toThrow('No latent was tested by the same intervention')
})

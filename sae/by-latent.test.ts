import { expect, test } from 'vitest'
import { mustSpeakByLatent } from './by-latent.ts'
import { inferenceArchitectures } from './inference.ts'

test('only what may be negative is refused, and by name', () => {
  const refused = inferenceArchitectures.filter(architecture => {
    try {
      mustSpeakByLatent({ architecture }, 'label')
      return false
    } catch {
      return true
    }
  })
  expect(refused).toEqual(['abstopk', 'temporal'])
  expect(() => mustSpeakByLatent({ architecture: 'abstopk' }, 'label')).toThrow(
    'Latents of abstopk SAEs may be negative and then stand for the opposite of their direction; label takes',
  )
})

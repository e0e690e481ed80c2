import { expect, test } from 'vitest'
import { inferenceArchitectures } from './inference.ts'
import { mustBeOneSided } from './signed.ts'

test('only what may be negative is refused, and by name', () => {
  const refused = inferenceArchitectures.filter(architecture => {
    try {
      mustBeOneSided({ architecture }, 'label')
      return false
    } catch {
      return true
    }
  })
  expect(refused).toEqual(['abstopk'])
  expect(() => mustBeOneSided({ architecture: 'abstopk' }, 'label')).toThrow(
    'Latents of abstopk SAEs may be negative and then stand for the opposite of their direction; label takes',
  )
})

/** A latent that reads one concept and writes two. */
import { telling, usedConcepts } from './coordinates.ts'
import type { Truth } from './truth.ts'

const next = (c: number) => (c + 1) % usedConcepts.length

export const mixture: Truth = {
  text: 'reads one concept, and writes two',
  outcome: 'not isolated: the other concept leaks',
  concepts: usedConcepts,
  latent: c => ({ read: telling(c), write: { [telling(c)]: Math.SQRT1_2, [telling(next(c))]: Math.SQRT1_2 } }),
  studies: ['specificity'],
  holds: ({ claim, studies }) =>
    studies.specificity?.isolated === false &&
    studies.specificity.leaks.includes(`cue=${next(Number(claim.concept?.split('=')[1]))}`),
}

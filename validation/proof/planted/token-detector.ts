/** A latent that tells tokens, claimed for what only their context tells. */
import { telling, usedConcepts } from './coordinates.ts'
import type { Truth } from './truth.ts'

export const tokenDetector: Truth = {
  text: 'tells tokens, and is claimed for what context tells of them',
  outcome: 'told by the token alone',
  contextual: true,
  concepts: usedConcepts,
  latent: c => ({ read: telling(c), write: { [telling(c)]: 1 } }),
  studies: ['association'],
  holds: ({ studies }) => studies.association?.finding === 'token',
}

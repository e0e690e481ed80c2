/** A latent that reads a concept and writes what the model reads it by. */
import { telling, usedConcepts } from './coordinates.ts'
import type { Truth } from './truth.ts'

export const used: Truth = {
  text: 'reads a concept, and writes what is read as it',
  outcome: 'supported',
  concepts: usedConcepts,
  latent: c => ({ read: telling(c), write: { [telling(c)]: 1 } }),
  holds: ({ verdict }) => verdict === 'pass',
}

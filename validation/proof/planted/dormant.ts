/** A latent whose direction is half what text moves along and nothing reads, half what is read and no text moves along. */
import { atRest, telling, unreadConcepts } from './coordinates.ts'
import type { Truth } from './truth.ts'

export const dormant: Truth = {
  text: 'writes what nothing reads, and what is at rest in all text',
  outcome: 'flagged as dormant',
  concepts: unreadConcepts,
  latent: c => ({ read: telling(c), write: { [telling(c)]: Math.SQRT1_2, [atRest(c)]: Math.SQRT1_2 } }),
  studies: ['dormant'],
  holds: ({ studies }) => studies.dormant?.dormant === true,
}

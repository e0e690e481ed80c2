/** A latent that reads a concept perfectly and writes what nothing reads. */
import { telling, unreadConcepts } from './coordinates.ts'
import type { Truth } from './truth.ts'

export const unread: Truth = {
  text: 'reads a concept, and writes what nothing reads',
  outcome: 'refuted',
  concepts: unreadConcepts,
  latent: c => ({ read: telling(c), write: { [telling(c)]: 1 } }),
  holds: ({ verdict }) => verdict === 'fail',
}

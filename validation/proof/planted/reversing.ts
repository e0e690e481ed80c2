/** A latent that reads a concept and writes what is read as it in one half of the documents, and the other way in the other. */
import { reversedStrata } from '../../contracts/flags.ts'
import { telling, turning, unreadConcepts } from './coordinates.ts'
import type { Truth } from './truth.ts'

export const reversing: Truth = {
  text: 'reads a concept, and writes what is read as it in one half of the documents and the other way in the other',
  outcome: 'the other way in that half (`heterogeneity`), and never triangulated',
  concepts: unreadConcepts,
  latent: c => ({ read: telling(c), write: { [turning(c)]: 1 } }),
  halves: true,
  studies: ['heterogeneity'],
  holds: ({ studies, robustness, tier }) =>
    tier.tier !== 'triangulated' &&
    reversedStrata(studies).some(({ field, value }) => field === 'half' && value === 'odd') &&
    robustness.some(({ intervention, value, high }) => intervention === 'ablate' && value === 'even' && high! < 0) &&
    robustness.some(({ intervention, value, low }) => intervention === 'ablate' && value === 'odd' && low! > 0),
}

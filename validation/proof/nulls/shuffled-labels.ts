/** The trained SAE on text in which every document carries another one's labels; each concept is claimed all the same. */
import { Random } from '../../../core/random.ts'
import type { Null } from '../case.ts'

export const shuffledLabels: Null = {
  text: 'trained SAE, labels shuffled between documents',
  async make({ dataset }, seed) {
    const order = new Random(seed, 'shuffled labels').shuffle(dataset.documents.map((_, i) => i))
    const documents = dataset.documents.map((document, i) => {
      const { strata, tokenConcepts, concepts } = dataset.documents.at(order[i]!)!
      const { tokenConcepts: _, concepts: __, ...rest } = document
      return { ...rest, strata, ...(tokenConcepts && { tokenConcepts }), ...(concepts && { concepts }) }
    })
    return {
      dataset: { ...dataset, documents, hash: `${dataset.hash}-shuffled-${seed}` },
      settings: { claims: 'concept', minimumSeparation: 0 },
      dispose() {},
    }
  },
}

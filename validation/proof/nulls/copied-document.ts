/** The trained SAE on held-out text that is one document, copied: sixteen ids, and nothing learned from fifteen of them. */
import { Random } from '../../../core/random.ts'
import type { TokenWindow } from '../../../datasets/document.ts'
import type { Null } from '../case.ts'

const copies = 16

export const copiedDocument: Null = {
  text: 'one validation document, copied 16 times',
  async make({ dataset }, seed) {
    const held = dataset.windows.filter(({ split }) => split === 'validation')
    const one = new Random(seed, 'copied').pick(held)
    const place = one.documents[1]!
    const first = dataset.documents.length
    const index = dataset.windows.reduce((most, window) => Math.max(most, window.index), 0) + 1
    const documents = Array.from({ length: copies }, (_, i) => ({
      ...dataset.documents.at(place)!,
      id: `${dataset.documents.at(place)!.id}-copy-${i}`,
    }))
    const windows = documents.map(
      ({ id }, i): TokenWindow => ({
        ...one,
        id,
        index: index + i,
        documents: one.documents.map(() => first + i),
      }),
    )
    return {
      dataset: {
        ...dataset,
        documents: [...dataset.documents, ...documents],
        windows: [...dataset.windows.filter(({ split }) => split !== 'validation'), ...windows],
        hash: `${dataset.hash}-copied-${seed}`,
      },
      dispose() {},
    }
  },
}

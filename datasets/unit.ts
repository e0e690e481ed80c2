/**
 * The unit of statistics: a document. Tokens of one document, and its windows, depend on each other, so that intervals and
 * permutations are over documents and never over windows. Near copies of a document say nothing that it does not.
 */
import type { TokenDataset, TokenWindow } from './document.ts'

/**
 * The document that a window is of: the one that most of its tokens belong to, near-duplicates counting as the first of them
 * where the dataset names any. Where documents are packed so densely that none has half of a window, the window is a block of
 * documents, and a unit by itself.
 */
export function unitOf(dataset: Pick<TokenDataset, 'documents' | 'copyOf'>, window: TokenWindow): string {
  const place = unitPlaceOf(dataset, window)
  return place === null ? window.id : dataset.documents.at(place)!.id
}

/** The place of that document; null where the window is a unit by itself. */
export function unitPlaceOf({ copyOf }: Pick<TokenDataset, 'copyOf'>, window: TokenWindow): number | null {
  const counts = new Map<number, number>()
  for (const place of window.documents) {
    const document = copyOf ? copyOf[place]! : place
    counts.set(document, (counts.get(document) ?? 0) + 1)
  }
  let most = -1
  for (const [document, count] of counts) if (count > (counts.get(most) ?? 0)) most = document
  return most >= 0 && counts.get(most)! * 2 >= window.documents.length ? most : null
}

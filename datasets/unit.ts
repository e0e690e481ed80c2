/**
 * The unit of statistics: a document. Tokens of one document, and its windows, depend on each other, so that intervals and
 * permutations are over documents and never over windows.
 */
import type { TokenDataset, TokenWindow } from './document.ts'

/**
 * The document that a window is of: the one that most of its tokens belong to. Where documents are packed so densely that
 * none has half of them, the window is a block of documents, and a unit by itself.
 */
export function unitOf({ documents }: Pick<TokenDataset, 'documents'>, window: TokenWindow): string {
  const counts = new Map<number, number>()
  for (const document of window.documents) counts.set(document, (counts.get(document) ?? 0) + 1)
  let most = -1
  for (const [document, count] of counts) if (count > (counts.get(most) ?? 0)) most = document
  return most >= 0 && counts.get(most)! * 2 >= window.documents.length ? documents[most]!.id : window.id
}

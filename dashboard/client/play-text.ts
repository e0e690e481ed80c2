/** A token or label of the playground as text. */
import { clip, visible } from '../../core/visible.ts'

/** What cannot be seen is written out, a long one cut. */
export const tokenText = (text: string) => visible(clip(text, 60)).replace(/^ | $/g, '·') || '∅'

/** A whole text, the same way. */
export const wholeText = (text: string) => visible(clip(text, 2000)) || '∅'

/** What tokenizers write in the place of what they have no token for. */
const unknown = /^(<unk>|<UNK>|\[UNK\])$/

/** How many tokens of a text stand for what the model has none for; nothing where none does. */
export function unknownText(tokens: readonly { readonly text: string }[]): string {
  const count = tokens.filter(({ text }) => unknown.test(text)).length
  return count === 0
    ? ''
    : `; ${count} of them ${count === 1 ? 'stands' : 'stand'} for text that the model has no token for`
}

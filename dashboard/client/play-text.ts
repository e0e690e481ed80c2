/** A token or label of the playground as text. */
import { clip, visible } from '../../core/visible.ts'

/** What cannot be seen is written out, a long one cut. */
export const tokenText = (text: string) => visible(clip(text, 60)).replace(/^ | $/g, '·') || '∅'

/** A whole text, the same way. */
export const wholeText = (text: string) => visible(clip(text, 2000)) || '∅'

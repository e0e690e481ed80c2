/** Sizes of heads of models that divide their width among them. */
import { UserError } from '../../core/errors.ts'

/** Heads, key/value heads and their size; a `UserError` where the width or the heads cannot be divided so. */
export function headsOf(
  width: number,
  heads: number,
  kvHeads = heads,
): { heads: number; kvHeads: number; headDim: number } {
  if (width % heads !== 0)
    throw new UserError(
      `The width must be a multiple of the number of heads, but config.json has ${width} and ${heads}.`,
    )
  if (heads % kvHeads !== 0)
    throw new UserError(
      `The number of heads must be a multiple of that of key/value heads, but config.json has ${heads} and ${kvHeads}.`,
    )
  return { heads, kvHeads, headDim: width / heads }
}

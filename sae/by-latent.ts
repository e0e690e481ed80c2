/**
 * SAEs of which little can be said latent by latent: those whose latents may be negative, which stand for a direction and, below
 * zero, for its opposite, and those that read a whole sequence of rows.
 */
import { UserError } from '../core/errors.ts'
import { hasSignedLatents, readsSequences } from './inference.ts'

/** Throws a `UserError` where what `work` says of single latents would not hold for such an SAE. */
export function mustSpeakByLatent({ architecture }: { readonly architecture: string }, work: string): void {
  if (readsSequences(architecture))
    throw new UserError(
      `A ${architecture} SAE reads whole sequences and puts back more than its latents; ${work} looks at rows one by one.`,
      { fix: '`pipeline sae quality` measures it on rows [batch, position, width].' },
    )
  if (!hasSignedLatents(architecture)) return
  throw new UserError(
    `Latents of ${architecture} SAEs may be negative and then stand for the opposite of their direction; ${work} takes a latent for one direction.`,
    { fix: 'Train an SAE of another architecture, such as topk, for what is to be said of single latents.' },
  )
}

/** SAEs whose latents may be negative: such a latent stands for a direction and, below zero, for its opposite. */
import { UserError } from '../core/errors.ts'
import { hasSignedLatents } from './inference.ts'

/** Throws a `UserError` where what `work` says of a latent would mix its two directions. */
export function mustBeOneSided({ architecture }: { readonly architecture: string }, work: string): void {
  if (!hasSignedLatents(architecture)) return
  throw new UserError(
    `Latents of ${architecture} SAEs may be negative and then stand for the opposite of their direction; ${work} takes a latent for one direction.`,
    { fix: 'Train an SAE of another architecture, such as topk, for what is to be said of single latents.' },
  )
}

/** Writes Gemma Scope files: `params.npz`, a JumpReLU that reads raw activations and keeps no word on its model or site. */
import { join } from 'node:path'
import { UserError } from '../../../core/errors.ts'
import { writeAtomic } from '../../../core/files.ts'
import { npzPieces } from '../files/npz-writer.ts'
import { asJumpRelu, mustHold, type Portable, withInputBias } from './portable.ts'

/** JumpReLU SAEs, and those that are one in other words: ReLU and gated. */
export async function writeGemmaScope(directory: string, given: Portable): Promise<void> {
  mustHold(given, 'gemma-scope', ['jumprelu', 'standard', 'gated'])
  if (given.width !== given.outputs)
    throw new UserError(`The gemma-scope format cannot hold an SAE from width ${given.width} to ${given.outputs}.`)
  const { W_enc, W_dec, b_enc, b_dec, threshold } = asJumpRelu(withInputBias(given, false)).params
  const arrays = { W_enc: W_enc!, W_dec: W_dec!, b_enc: b_enc!, b_dec: b_dec!, threshold: threshold! }
  await writeAtomic(join(directory, 'params.npz'), npzPieces(arrays))
}

/** An untrained SAE whose decoder rows are thirty times as long as what it says: its edits push values beyond all that text holds. */
import type { Null } from '../case.ts'
import { decoderOf, withDecoder } from '../changed-sae.ts'
import { untrained } from './untrained.ts'

const times = 30

export const loud: Null = {
  text: 'untrained SAE, decoder rows thirty times as long',
  // Tied controls take no more than is there, and rank too low: it is what text holds of its edits that keeps it from passing.
  byRule: true,
  async make(world, seed) {
    const made = await untrained.make(world, seed)
    if (!made?.sae) return undefined
    const rows = decoderOf(made.sae).map(value => times * value)
    return { sae: withDecoder(made.sae, rows, `loud-${seed}`), dispose: () => made.dispose() }
  },
}

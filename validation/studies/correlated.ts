/** The concept that goes with a claimed one most: what a latent must be told apart from. */
import type { ConceptLabels } from '../claims/concepts.ts'

/** Tokens that must tell the two apart. */
const fewestTokens = 10

/**
 * The concept with the largest correlation φ above 0 over all tokens, among those that some tokens tell from the claimed one;
 * undefined where there is none.
 */
export function correlatedConcept(
  labels: ConceptLabels,
  concept: number,
): { readonly concept: number; readonly phi: number } | undefined {
  const { concepts, offsets, indices, tokens } = labels
  const rows = offsets.length - 1
  const both = new Float64Array(concepts.length)
  for (let row = 0; row < rows; row++) {
    const own = indices.subarray(offsets[row]!, offsets[row + 1]!)
    if (own.includes(concept)) for (const other of own) both[other]!++
  }
  let best: { concept: number; phi: number } | undefined
  const claimed = tokens[concept]!
  for (let other = 0; other < concepts.length; other++) {
    const n = tokens[other]!
    const apart = Math.max(claimed - both[other]!, n - both[other]!)
    if (other === concept || n < fewestTokens || n === rows || apart < fewestTokens) continue
    const phi = (rows * both[other]! - claimed * n) / Math.sqrt(claimed * n * (rows - claimed) * (rows - n))
    if (phi > 0 && phi > (best?.phi ?? 0)) best = { concept: other, phi }
  }
  return best
}

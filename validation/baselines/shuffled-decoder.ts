/** The encoder under test with its decoder rows dealt to other latents: detects as well, writes what belongs elsewhere. */
import { Random } from '../../core/random.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import type { Baseline } from './baseline.ts'

export const shuffledDecoder: Baseline = {
  text: 'its encoder with shuffled decoder rows',
  byDefault: true,
  drawn: true,
  async make({ material, repetition }) {
    const { sae, decoder } = material
    const { width, latents } = sae
    const order = derangement(latents, new Random(material.seed, 'baseline', 'shuffled', repetition))
    const rows = new Float32Array(decoder.length)
    order.forEach((from, to) => {
      rows.set(decoder.subarray(from * width, (from + 1) * width), to * width)
    })
    const dealt = (): Tensor2D => tf.tensor2d(rows.slice(), [latents, width])
    return { sae: { ...sae, decoder: dealt, dispose() {} }, firesAlike: true, dispose() {} }
  },
}

/** An order in which nobody keeps its place (where there are at least two): a random cycle (Sattolo 1986). */
export function derangement(count: number, random: Random): number[] {
  const order = Array.from({ length: count }, (_, i) => i)
  for (let i = count - 1; i > 0; i--) {
    const j = random.int(i)
    const item = order[i]!
    order[i] = order[j]!
    order[j] = item
  }
  return order
}

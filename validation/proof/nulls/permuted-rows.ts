/** The trained encoder with the trained decoder's rows dealt to other latents. */
import { Random } from '../../../core/random.ts'
import type { Null } from '../case.ts'
import { decoderOf, withDecoder } from '../changed-sae.ts'

export const permutedRows: Null = {
  text: 'trained SAE, decoder rows permuted',
  async make({ sae }, seed) {
    const own = decoderOf(sae)
    const order = new Random(seed, 'permuted').shuffle(Array.from({ length: sae.latents }, (_, i) => i))
    const rows = new Float32Array(own.length)
    order.forEach((from, to) => {
      rows.set(own.subarray(from * sae.outputs, (from + 1) * sae.outputs), to * sae.outputs)
    })
    return { sae: withDecoder(sae, rows, `permuted-${seed}`), dispose() {} }
  },
}

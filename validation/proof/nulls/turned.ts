/** The trained SAE turned by a random rotation: directions with the same angles between them, of which the model knows none. */
import { Random } from '../../../core/random.ts'
import type { Null } from '../case.ts'
import { turned as turnedSae } from '../changed-sae.ts'

export const turned: Null = {
  text: 'trained SAE, turned by a random rotation',
  async make({ sae }, seed) {
    const turnedOne = turnedSae(sae, randomRotation(sae.width, new Random(seed, 'rotation')), `turned-${seed}`)
    return { sae: turnedOne, dispose: () => turnedOne.dispose() }
  },
}

/** Orthonormal rows [width, width]: Gram and Schmidt on normal ones. */
export function randomRotation(width: number, random: Random): Float32Array {
  const rows = new Float64Array(random.normals(width * width))
  for (let i = 0; i < width; i++) {
    const row = rows.subarray(i * width, (i + 1) * width)
    // Twice, since once leaves what rounding brings back.
    for (let again = 0; again < 2; again++)
      for (let j = 0; j < i; j++) {
        const other = rows.subarray(j * width, (j + 1) * width)
        const along = row.reduce((sum, value, k) => sum + value * other[k]!, 0)
        for (let k = 0; k < width; k++) row[k]! -= along * other[k]!
      }
    const norm = Math.hypot(...row)
    for (let k = 0; k < width; k++) row[k]! /= norm
  }
  return Float32Array.from(rows)
}

/**
 * Covariance-matched directions: v ~ N(0, Σ) with Σ the covariance of the site's values, drawn without forming Σ as
 * v = Σ_k g_k (x_k − x̄) over stored rows x_k with g ~ N(0, 1). Isotropic directions mostly point where the model never
 * goes; these point where its values vary.
 */
import { type Control, normalise } from './control.ts'

export const covariance: Control = {
  name: 'covariance',
  rules: 'The effect is not what any push along the values’ usual variation does.',
  draw({ width, samples, random }, count) {
    const rows = samples.length / width
    const directions = new Float32Array(count * width)
    const ids: number[] = []
    for (let i = 0; i < count && rows > 0; i++) {
      const row = new Float32Array(width)
      for (let k = 0; k < rows; k++) {
        const weight = random.normal()
        for (let j = 0; j < width; j++) row[j]! += weight * samples[k * width + j]!
      }
      if (!normalise(row)) continue
      directions.set(row, ids.length * width)
      ids.push(i)
    }
    return { directions: directions.subarray(0, ids.length * width), ids }
  },
}

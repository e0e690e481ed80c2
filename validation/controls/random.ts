/** Random directions: uniform on the sphere. */
import { type Control, normalise } from './control.ts'

export const random: Control = {
  name: 'random',
  rules: 'The effect is not what any push of this size does.',
  draw({ width, random }, count) {
    const directions = new Float32Array(count * width)
    for (let i = 0; i < count; ) {
      const row = random.normals(width)
      if (normalise(row)) directions.set(row, i++ * width)
    }
    return { directions, ids: Array.from({ length: count }, (_, i) => i) }
  },
}

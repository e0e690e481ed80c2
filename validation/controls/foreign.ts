/**
 * Foreign latents: decoder directions of other latents that are active in the data, the hard control: a push along any
 * direction that the model itself uses has effects as large as the one under test.
 *
 * Left out are near copies of the latent (|cos| above 0.3) and latents that detect the same concept.
 */
import { type Control, type ControlDirections, type ControlSource, normalise } from './control.ts'

/** Above this |cosine| another latent is taken for a copy of the one under test. */
export const copyCosine = 0.3

export const foreign: Control = {
  name: 'foreign',
  rules: 'The effect is this latent’s own, not what other latents of the same SAE do.',
  draw(source, count) {
    return foreignRows(source, source.random.shuffle([...source.active]), count)
  },
}

/** The first `count` of these latents that may be foreign ones, as unit rows. */
export function foreignRows(
  { width, latent, decoder, sameConcept }: Pick<ControlSource, 'width' | 'latent' | 'decoder' | 'sameConcept'>,
  order: readonly number[],
  count: number,
): ControlDirections {
  const unit = (i: number) => {
    const row = decoder.slice(i * width, (i + 1) * width)
    return normalise(row) ? row : undefined
  }
  const own = unit(latent)
  const rows: Float32Array[] = []
  const ids: number[] = []
  for (const other of order) {
    if (rows.length === count) break
    if (other === latent || sameConcept.has(other)) continue
    const row = unit(other)
    if (!row) continue
    const cosine = own ? row.reduce((sum, x, i) => sum + x * own[i]!, 0) : 0
    if (Math.abs(cosine) > copyCosine) continue
    rows.push(row)
    ids.push(other)
  }
  const directions = new Float32Array(rows.length * width)
  rows.forEach((row, i) => {
    directions.set(row, i * width)
  })
  return { directions, ids }
}

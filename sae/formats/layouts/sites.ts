/** Crosscoders, whose libraries keep an axis of sites (layers or models), as one wide SAE: sites side by side in a row. */
import { UserError } from '../../../core/errors.ts'
import type { Numbers } from '../../../engine/torch/numbers.ts'
import { required, type Tensors } from '../files/parts.ts'

/** A tensor of three axes; a `UserError` where it has others. */
export function cube(tensors: Tensors, name: string, path: string): Numbers {
  const found = required(tensors, name, path)
  if (found.shape.length !== 3)
    throw new UserError(`${name} in ${path} has shape [${found.shape}]; it must have three axes.`)
  return found
}

/** Encoders [sites, width, latents] as [sites · width, latents]; they already lie so. */
export function wideEncoder({ shape, data }: Numbers): Numbers {
  return { shape: [shape[0]! * shape[1]!, shape[2]!], data }
}

/** Decoders [sites, latents, width] as [latents, sites · width]. */
export function wideDecoder({ shape, data }: Numbers): Numbers {
  const [sites, latents, width] = shape as [number, number, number]
  const wide = new Float32Array(data.length)
  for (let s = 0; s < sites; s++)
    for (let i = 0; i < latents; i++) {
      const from = (s * latents + i) * width
      wide.set(data.subarray(from, from + width), i * sites * width + s * width)
    }
  return { shape: [latents, sites * width], data: wide }
}

/** Norm of each latent's decoder at each site; [sites][latents]. */
export function siteNorms({ shape, data }: Numbers): Float64Array[] {
  const [sites, latents, width] = shape as [number, number, number]
  return Array.from({ length: sites }, (_, s) =>
    Float64Array.from({ length: latents }, (_, i) => {
      let sum = 0
      const from = (s * latents + i) * width
      for (let at = from; at < from + width; at++) sum += data[at]! ** 2
      return Math.sqrt(sum)
    }),
  )
}

/** Compares an SAE's latents and reconstruction with values its own library stored. */

import { hostValues } from '../../engine/host.ts'
import { openSafetensors } from '../../engine/safetensors.ts'
import { type Tensor, type Tensor2D, tf } from '../../engine/tf.ts'
import { openSae } from '../formats/index.ts'

export interface SaeComparison {
  readonly sae: string
  readonly architecture: string
  readonly rows: number
  /** Largest absolute differences. */
  readonly latents: number
  readonly reconstruction: number
  readonly largest: number
}

/** `reference` is a safetensors file with `x`, `latents` and `reconstruction`, a row each. */
export async function verifySae(sae: string, reference: string): Promise<SaeComparison> {
  const opened = await openSae(sae)
  try {
    const file = await openSafetensors(reference)
    try {
      const read = async (name: string) => tf.tensor2d(await file.read(name), file.shape(name) as [number, number])
      const [x, latents, reconstruction] = [await read('x'), await read('latents'), await read('reconstruction')]
      const apart = (found: Tensor, expected: Tensor) => hostValues(() => found.sub(expected).abs().max())[0]!
      const ours = tf.tidy(() => ({
        latents: opened.encodeDense(x),
        reconstruction: opened.reconstruct(x) as Tensor2D,
      }))
      const differences = {
        latents: apart(ours.latents, latents),
        reconstruction: apart(ours.reconstruction, reconstruction),
      }
      const rows = x.shape[0]
      tf.dispose([x, latents, reconstruction, ours.latents, ours.reconstruction])
      return {
        sae,
        architecture: opened.architecture,
        rows,
        ...differences,
        largest: Math.max(differences.latents, differences.reconstruction),
      }
    } finally {
      await file.close()
    }
  } finally {
    opened.dispose()
  }
}

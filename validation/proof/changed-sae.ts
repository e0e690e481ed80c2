/** SAEs made of another one: with other decoder rows, with other directions for both, and with further latents. */
import { onHost } from '../../engine/host.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import type { Sae, SparseLatents } from '../../sae/sae.ts'
import { compressRows, denseRows } from '../../sae/sparse.ts'

/** The decoder rows [latents, width] on the host. */
export function decoderOf(sae: Sae): Float32Array {
  return onHost(() => sae.decoder().dataSync<'float32'>().slice() as Float32Array)
}

/** The same encoder with other decoder rows [latents, width]; of those that are not given its own. The SAE stays the owner. */
export function withDecoder(sae: Sae, rows: Float32Array | ReadonlyMap<number, Float32Array>, name: string): Sae {
  const values = rows instanceof Float32Array ? rows : decoderOf(sae)
  if (!(rows instanceof Float32Array)) for (const [latent, row] of rows) values.set(row, latent * sae.outputs)
  const decoder = () => tf.tensor2d(values, [sae.latents, sae.outputs])
  return { ...sae, hash: `${sae.hash}-${name}`, decoder, dispose() {} }
}

/**
 * The SAE turned about the centre of what it reads (its decoder bias, where it subtracts one) by an orthogonal
 * [width, width]: it reads and writes along other directions, which make the same angles with each other.
 */
export function turned(sae: Sae, rotation: Float32Array, name: string): Sae {
  const by = tf.keep(tf.tensor2d(rotation, [sae.width, sae.width]))
  const bias = sae.config.apply_b_dec_to_input === true ? sae.params.b_dec : undefined
  const centre = bias ?? tf.scalar(0)
  const there = (x: Tensor2D) => x.sub(centre).matMul(by).add(centre) as Tensor2D
  const back = (x: Tensor2D) => x.sub(centre).matMul(by, false, true).add(centre) as Tensor2D
  return {
    ...sae,
    hash: `${sae.hash}-${name}`,
    encodeDense: x => tf.tidy(() => sae.encodeDense(there(x))),
    encode: x => {
      const rows = tf.tidy(() => there(x))
      const latents = sae.encode(rows)
      rows.dispose()
      return latents
    },
    decode: (latents, x) => tf.tidy(() => back(sae.decode(latents, x && there(x)))),
    reconstruct: x => tf.tidy(() => back(sae.reconstruct(there(x)))),
    decoder: () => tf.tidy(() => sae.decoder().matMul(by, false, true) as Tensor2D),
    dispose: () => tf.dispose(bias ? [by] : [by, centre]),
  }
}

/** A latent that fires with (x − centre)·read − threshold where that is above 0, and writes along `write`. */
export interface PlantedLatent {
  readonly read: Float32Array
  readonly centre: Float32Array
  readonly threshold: number
  readonly write: Float32Array
}

/** The SAE with further latents behind its own. */
export function withLatents(sae: Sae, planted: readonly PlantedLatent[], name: string): Sae {
  const { width, latents } = sae
  const count = planted.length
  const table = (pick: (latent: PlantedLatent) => Float32Array) =>
    tf.keep(tf.tensor2d(Float32Array.from(planted.flatMap(one => [...pick(one)])), [count, width]))
  const [read, write] = [table(one => one.read), table(one => one.write)]
  const offsets = tf.keep(
    tf.tensor1d(
      planted.map(one => one.threshold + one.read.reduce((sum, value, i) => sum + value * one.centre[i]!, 0)),
    ),
  )
  const encodeDense = (x: Tensor2D) =>
    tf.tidy(() => tf.concat([sae.encodeDense(x), x.matMul(read, false, true).sub(offsets).relu()], 1) as Tensor2D)
  const decode = (given: Tensor2D | SparseLatents, x?: Tensor2D) =>
    tf.tidy(() => {
      const dense = 'offsets' in given ? denseRows(given) : given
      const [own, added] = tf.split(dense, [latents, count], 1) as [Tensor2D, Tensor2D]
      return sae.decode(own, x).add(added.matMul(write)) as Tensor2D
    })
  return {
    ...sae,
    latents: latents + count,
    hash: `${sae.hash}-${name}`,
    encodeDense,
    encode: x => {
      const dense = encodeDense(x)
      const found = compressRows(dense.dataSync<'float32'>() as Float32Array, x.shape[0], latents + count)
      dense.dispose()
      return found
    },
    decode,
    reconstruct: x => tf.tidy(() => decode(encodeDense(x), x)),
    decoder: () => tf.tidy(() => tf.concat([sae.decoder(), write], 0) as Tensor2D),
    dispose: () => tf.dispose([read, write, offsets]),
  }
}

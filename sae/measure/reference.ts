/** Reference values of an SAE: rows, and the latents and reconstructions that it gives of them. */
import { UserError } from '../../core/errors.ts'
import { Random } from '../../core/random.ts'
import { writeSafetensors } from '../../engine/safetensors.ts'
import { tf } from '../../engine/tf.ts'
import { reconstructs, type Sae } from '../sae.ts'
import { openRows } from './rows.ts'

/** Standard deviation of random rows about the decoder bias: far enough that latents are active and inactive. */
const deviation = 1

/** Rows [count, width] drawn about the decoder bias, where the rows that an SAE was trained on lie; zero for transcoders. */
export async function randomRows(sae: Sae, count: number, seed: number): Promise<Float32Array> {
  const bias = reconstructs(sae) ? ((await sae.params.b_dec!.data()) as Float32Array) : undefined
  const random = new Random(seed, 'sae-reference')
  return Float32Array.from(
    { length: count * sae.width },
    (_, i) => (bias?.[i % sae.width] ?? 0) + deviation * random.normal(),
  )
}

/** Which rows of a safetensors file are meant. */
export interface RowsOptions {
  readonly width: number
  /** Default: `x`. */
  readonly tensor?: string
  /** Rows from the first on, at most; default: all. */
  readonly count?: number
}

/** Rows [count, width] of a tensor of a safetensors file; a `UserError` where a value is no finite number. */
export async function rowsOf(
  path: string,
  { width, tensor = 'x', count = Number.POSITIVE_INFINITY }: RowsOptions,
): Promise<Float32Array> {
  const file = await openRows(path)
  try {
    const rows = (await file.rows(tensor, width)).slice(0, count * width)
    const wrong = rows.findIndex(value => !Number.isFinite(value))
    if (wrong >= 0)
      throw new UserError(`Row ${Math.floor(wrong / width)} of ${tensor} in ${path} holds ${rows[wrong]}.`, {
        fix: 'Leave out rows that are not all finite numbers.',
      })
    return rows
  } finally {
    await file.close()
  }
}

/** How many rows of that tensor follow one another in a sequence. */
export async function positionsOf(path: string, tensor: string, width: number): Promise<number> {
  const file = await openRows(path)
  try {
    return file.positions(tensor, width)
  } finally {
    await file.close()
  }
}

/** Writes `x` [rows, width], `latents` [rows, latents] and `reconstruction` [rows, outputs], as `verifySae` reads them. */
export async function writeReference(path: string, sae: Sae, x: Float32Array): Promise<{ rows: number; l0: number }> {
  const rows = x.length / sae.width
  const given = tf.tensor2d(x.slice(), [rows, sae.width])
  const [latents, reconstruction] = tf.tidy(() => [sae.encodeDense(given), sae.reconstruct(given)] as const)
  const [z, y] = [(await latents.data()) as Float32Array, (await reconstruction.data()) as Float32Array]
  tf.dispose([given, latents, reconstruction])
  await writeSafetensors(path, {
    x: { shape: [rows, sae.width], data: x },
    latents: { shape: [rows, sae.latents], data: z },
    reconstruction: { shape: [rows, sae.outputs], data: y },
  })
  return { rows, l0: z.reduce((count, value) => count + (value === 0 ? 0 : 1), 0) / rows }
}

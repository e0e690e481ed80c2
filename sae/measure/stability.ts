/**
 * The stability of each latent of an SAE, as a table that later stages join on: how well another SAE has it, too.
 *
 *   latent  int32    index in the first SAE          match   int32  index in the other, −1 where it has no partner
 *   cosine  float32  |cosine| of their decoder rows  shared  boolean  whether that is at least the threshold
 */
import { UserError } from '../../core/errors.ts'
import { readTable, readTableInfo, writeTable } from '../../datasets/tables.ts'
import type { Comparison } from './compare.ts'

/** Version of the table; readers refuse others. */
export const stabilitySchema = 1

/** Writes the table. `hashes` are those of the two SAEs, kept in its metadata with the figures of the comparison. */
export async function writeStability(
  path: string,
  { match, stability, threshold, mcc, mccBound, shared, exact }: Comparison,
  hashes: { readonly a: string; readonly b: string },
): Promise<void> {
  await writeTable(
    path,
    {
      latent: { type: 'int32', values: Int32Array.from(stability, (_, i) => i) },
      match: { type: 'int32', values: match },
      cosine: { type: 'float32', values: stability },
      shared: { type: 'boolean', values: Array.from(stability, value => value >= threshold) },
    },
    {
      schema: stabilitySchema,
      metadata: {
        ...hashes,
        threshold: String(threshold),
        mcc: String(mcc),
        mccBound: String(mccBound),
        shared: String(shared),
        matching: exact ? 'exact' : 'bounded',
      },
    },
  )
}

/** |cosine| of each latent of an SAE; a `UserError` where the table is of an SAE with other bytes or another size. */
export async function readStability(path: string, sae: { hash: string; latents: number }): Promise<Float32Array> {
  const { metadata } = await readTableInfo(path)
  const { cosine } = await readTable(path, { columns: ['cosine'], schema: stabilitySchema })
  if (metadata.a !== sae.hash || cosine!.length !== sae.latents)
    throw new UserError(`The stability table ${path} is about another SAE.`, {
      fix: 'Make it with this SAE as the first: pipeline sae compare THIS OTHER --output FILE.',
    })
  return Float32Array.from(cosine as number[])
}

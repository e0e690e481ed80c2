/**
 * The stability of each latent of an SAE, as a table that later stages join on: how well another SAE has it, too.
 *
 *   latent  int32    index in the first SAE          match   int32  index in the other, null without a partner
 *   cosine  float32  |cosine| of their decoder rows  shared  boolean  whether that is at least the threshold
 *
 * A latent without a partner (the other SAE has fewer) has no cosine, and is not shared.
 */
import { writeTo } from '../../core/destination.ts'
import { UserError } from '../../core/errors.ts'
import { encodeTable, readTable, readTableInfo } from '../../datasets/tables.ts'
import type { Comparison, Places } from './compare.ts'

/** Version of the table; readers refuse others. */
const stabilitySchema = 2

/** What the table says of the two SAEs: their hashes, and their places where these were looked at. */
export interface Compared {
  readonly a: string
  readonly b: string
  readonly places?: Places
}

/** Writes the table; what was compared is kept in its metadata, with the figures of the comparison. */
export async function writeStability(
  path: string,
  { match, stability, threshold, mcc, mccBound, shared, exact }: Comparison,
  { a, b, places }: Compared,
): Promise<void> {
  const partnered = (latent: number, value: number) => (match[latent]! < 0 ? null : value)
  const bytes = encodeTable(
    {
      latent: { type: 'int32', values: Int32Array.from(stability, (_, i) => i) },
      match: { type: 'int32', values: Array.from(match, j => (j < 0 ? null : j)), nullable: true },
      cosine: { type: 'float32', values: Array.from(stability, (value, i) => partnered(i, value)), nullable: true },
      shared: { type: 'boolean', values: Array.from(stability, (value, i) => match[i]! >= 0 && value >= threshold) },
    },
    {
      schema: stabilitySchema,
      metadata: {
        a,
        b,
        ...(places ? { sites: JSON.stringify(places.sites), models: JSON.stringify(places.models) } : {}),
        threshold: String(threshold),
        mcc: String(mcc),
        mccBound: String(mccBound),
        shared: String(shared),
        matching: exact ? 'exact' : 'bounded',
      },
    },
  )
  await writeTo(path, bytes)
}

/**
 * |cosine| of each latent of an SAE, null without a partner; a `UserError` where the table is of an SAE with other bytes or
 * another size.
 */
export async function readStability(
  path: string,
  sae: { readonly hash: string; readonly latents: number },
): Promise<(number | null)[]> {
  const { metadata } = await readTableInfo(path)
  const { cosine } = await readTable(path, { columns: ['cosine'], schema: stabilitySchema })
  if (metadata.a !== sae.hash || cosine!.length !== sae.latents) {
    const nameOf = (hash: string | undefined, latents: number) => `${hash?.slice(0, 12)} with ${latents} latents`
    throw new UserError(
      `The stability table ${path} is about another SAE (${nameOf(metadata.a, cosine!.length)}) than the one given (${nameOf(sae.hash, sae.latents)}).`,
      { fix: 'Make it with this SAE as the first: pipeline sae compare THIS OTHER --output FILE.' },
    )
  }
  return cosine as (number | null)[]
}

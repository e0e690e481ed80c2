/**
 * Whether an SAE's latents fire as often in one capture as in another, or those of one SAE in its capture as their partners
 * in another SAE's: the share of each document's rows at which a latent fires, compared over documents.
 */
import { UserError } from '../core/errors.ts'
import type { Progress } from '../core/progress.ts'
import { Random } from '../core/random.ts'
import { documentsOf, windowDocuments } from '../datasets/shards/by-document.ts'
import { type CommonRates, commonRates, keptRows } from '../datasets/shards/common-rates.ts'
import type { Capture } from '../datasets/shards/index.ts'
import { tf } from '../engine/tf.ts'
import { mustSpeakByLatent } from '../sae/by-latent.ts'
import type { Sae } from '../sae/sae.ts'
import { type RateDrift, rateDrift } from '../statistics/drift/rates.ts'

/** An SAE on rows of a capture. */
export interface FiringSide {
  readonly sae: Sae
  readonly capture: Capture
}

export interface FiringDrift extends RateDrift {
  /** The latent in the first SAE and in the second. */
  readonly latent: { readonly a: number; readonly b: number }
}

export interface FiringOptions {
  /** Pairs of latents to compare; all of them one by one where both sides have the same SAE. */
  readonly pairs: readonly { readonly a: number; readonly b: number }[]
  readonly documents: number
  readonly draws: number
  readonly seed: number
  readonly progress: Progress
}

/** Rows that are encoded at once. */
const batchRows = 1024

export const firingDefinition =
  'Welch’s |t| of the share of each document’s rows at which the latent fires, over documents'

/** Compares the pairs. Throws a `UserError` for an SAE whose site the capture lacks, or whose latents are not by row. */
export async function firingDrift(
  a: FiringSide,
  b: FiringSide,
  { pairs, documents, draws, seed, progress }: FiringOptions,
): Promise<FiringDrift[]> {
  progress.start('Encoding', 2 * documents, 'documents')
  const sides = []
  const common = commonRates(a.capture.manifest, b.capture.manifest)
  for (const [i, side] of [a, b].entries()) {
    const latents = pairs.map(pair => (i === 0 ? pair.a : pair.b))
    const onDocument = (done: number) => progress.update(i * documents + done)
    sides.push(await firingRates(side, latents, { most: documents, sampled: common[i]!, onDocument }))
  }
  progress.finish()
  const [first, second] = sides as [Rates, Rates]
  const found = rateDrift(
    { a: first.documents, b: second.documents },
    [...first.rates, ...second.rates],
    new Random(seed, 'firing drift'),
    draws,
  )
  return pairs.map((latent, i) => ({ latent, ...found[i]! }))
}

interface Rates {
  readonly documents: readonly string[]
  /** [documents][latents] */
  readonly rates: readonly Float64Array[]
}

async function firingRates(
  { sae, capture }: FiringSide,
  latents: readonly number[],
  { most, sampled, onDocument }: { most: number; sampled: CommonRates; onDocument: (done: number) => void },
): Promise<Rates> {
  mustSpeakByLatent(sae, 'Drift')
  const site = sae.metadata.hook_name
  const found = capture.sites.find(({ name }) => name === site)
  if (found?.width !== sae.width)
    throw new UserError(
      `The SAE reads ${site} of width ${sae.width}, but the capture ${capture.directory} has ${capture.sites.map(({ name, width }) => `${name} (${width})`).join(', ')}.`,
      { fix: 'Name captures of the site that the SAE reads.' },
    )
  const columns = await capture.columns()
  const kept = keptRows(columns, sampled)
  const [chosen] = await documentsOf(columns, await windowDocuments(capture), [null], { most, kept })
  const rates: Float64Array[] = []
  for (const { rows } of chosen!) {
    const counts = new Float64Array(sae.latents)
    let weights = 0
    for (let from = 0; from < rows.length; from += batchRows) {
      const batch = rows.slice(from, from + batchRows)
      const x = await capture.read(site, batch)
      const tensor = tf.tensor2d(x, [batch.length, sae.width])
      const fired = sae.encode(tensor)
      tensor.dispose()
      fired.offsets.forEach((start, row) => {
        if (row === batch.length) return
        const weight = 1 / sampled.common[columns.stratum[batch[row]!]!]!
        weights += weight
        for (let at = start; at < fired.offsets[row + 1]!; at++)
          if (fired.values[at] !== 0) counts[fired.indices[at]!]! += weight
      })
    }
    rates.push(Float64Array.from(latents, latent => counts[latent]! / weights))
    onDocument(rates.length)
  }
  return { documents: chosen!.map(({ document }) => document), rates }
}

/** Whether labels that were read belong to an SAE: proven by content, refused by content, or not to be known. */
import { UserError } from '../../core/errors.ts'
import type { ImportedLabel, ImportedLabels } from './format.ts'

/** By what it is proven that labels are of an SAE; `none` where nothing in the files says so. */
export type BelongingProof = 'hash' | 'decoder' | 'none'

/** A decoder row that was written in 16 or 32 bits has at least this cosine with itself. */
const sameDirection = 0.999

/**
 * Holds labels to an SAE: hashes must be its hash, decoder rows [width] must point as its own do, and latents must be
 * there. Throws a `UserError` where one of them says that they are of another SAE. They are proven where each label is: a hash or row
 * of one latent says nothing of another, which may have been put beside it. `unproven` is how many are not.
 */
export function provenBelonging(
  { labels, saeHashes, vectors }: ImportedLabels,
  sae: { readonly hash: string; readonly latents: number; row(latent: number): Float32Array },
  name: string,
): { readonly proof: BelongingProof; readonly unproven: number } {
  const beyond = labels.find(({ latent }) => latent >= sae.latents)
  const fix = 'Name the SAE that they are of with --sae, or labels of this one.'
  if (beyond)
    throw new UserError(`${name} labels latent ${beyond.latent}, but the SAE has ${sae.latents} latents.`, { fix })
  const foreign = [...saeHashes].find(hash => hash !== sae.hash)
  if (foreign !== undefined)
    throw new UserError(
      `${name} is about another SAE: one of hash ${foreign.slice(0, 12)}, not ${sae.hash.slice(0, 12)}.`,
      { fix },
    )
  for (const [latent, vector] of vectors) {
    if (latent >= sae.latents)
      throw new UserError(`${name} has latent ${latent}, but the SAE has ${sae.latents}.`, { fix })
    const own = sae.row(latent)
    const cosine = vector.length === own.length ? cosineOf(vector, own) : undefined
    if (cosine === undefined || !(cosine >= sameDirection))
      throw new UserError(
        `${name} is about another SAE: its decoder row of latent ${latent} has ${cosine === undefined ? `${vector.length} values, not ${own.length}` : `the cosine ${cosine.toFixed(3)} with this one's`}.`,
        { fix },
      )
  }
  const without = (proven: (label: ImportedLabel) => boolean) => labels.filter(label => !proven(label)).length
  const byHash = (label: ImportedLabel) => label.sae !== null
  // A row of zeros is that of every dead latent.
  const byRow = ({ latent }: ImportedLabel) => vectors.get(latent)?.some(value => value !== 0) === true
  const unproven = without(label => byHash(label) || byRow(label))
  if (unproven > 0) return { proof: 'none', unproven }
  return { proof: without(byHash) === 0 ? 'hash' : 'decoder', unproven }
}

/** Cosine of two rows; 1 for two rows of zeros. */
function cosineOf(a: readonly number[], b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0]
  for (let i = 0; i < b.length; i++) {
    ab += a[i]! * b[i]!
    aa += a[i]! ** 2
    bb += b[i]! ** 2
  }
  return aa === 0 && bb === 0 ? 1 : aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb)
}

/** `pipeline import labels`: labels that were made elsewhere, as claims that `validate` puts to the causal test. */
import { resolve } from 'node:path'
import { z } from 'zod'
import { isStdout, writeTo } from '../../core/destination.ts'
import { UserError } from '../../core/errors.ts'
import { shellWord } from '../../core/shell.ts'
import { counted } from '../../core/text.ts'
import { clip, visible } from '../../core/visible.ts'
import type { ImportedLabel } from '../../labels/formats/format.ts'
import { labelFormatNames, labelFormats } from '../../labels/formats/index.ts'
import { statedText, type WrittenClaim } from '../../validation/claims/claim-file.ts'
import { defineCommand } from '../command.ts'
import { openStore, StoreConfig } from '../stages/common.ts'
import { findSae } from '../stages/inputs.ts'
import { decoderRows } from '../stages/labelled.ts'
import { inRuns } from './in-runs.ts'

/** What each proof says of whose labels they are. */
const proofs = {
  hash: 'They are of this SAE: the file holds its content hash.',
  decoder: 'They are of this SAE: the file holds its decoder rows.',
  none: 'Nothing in the file says which SAE it is about, so that it cannot be proven that they are of this one.',
} as const

const partlyProven = (labels: number) =>
  `Of ${labels} of the labels nothing in the file says which SAE they are about, so that it cannot be proven that all are of this one.`

export default defineCommand({
  about:
    'Reads the labels of a file or folder in any form that `export labels` writes, whoever wrote it, and states each as a claim about its latent: what follows where it is active, or, where the form names one, a labelled concept. Says by what it is proven that they are of the SAE, or that it cannot be; labels of another SAE are refused.',
  examples: [
    'pipeline import labels --from neuronpedia --path exports/gpt2-small/6-res-jb --sae run42 --output claims.yaml',
    'pipeline validate --sae run42 --claimsFile claims.yaml',
  ],
  config: z.strictObject({
    from: z.enum(labelFormatNames).describe('The form'),
    path: z.string().min(1).describe('The file or folder'),
    sae: z.string().describe('Id or directory of the SAE that they are of'),
    output: z.string().min(1).describe('File of claims to write; - is standard output'),
    latents: z.array(z.int().min(0)).nonempty().optional().describe('Only labels of these latents'),
    ...StoreConfig,
  }),
  async run(config, session) {
    const format = labelFormats[config.from]
    const found = await findSae(openStore(config), config.sae)
    const { provenBelonging } = await import('../../labels/formats/belonging.ts')
    const read = await format.read(resolve(config.path))
    const sae = await decoderRows(found)
    const { proof, unproven } = provenBelonging(read, sae, config.path)
    const told =
      proof !== 'none' || read.saeHashes.size + read.vectors.size === 0 ? proofs[proof] : partlyProven(unproven)
    const { claims, more } = claimsOf(read.labels, config.latents)
    const data = statedText(claims, {
      written: session.now().toISOString(),
      sae: proof === 'none' ? undefined : sae.hash,
      says: [`Labels from ${clip(visible(config.path), 100)} (${format.name}). ${told}`],
    })
    const others =
      more > 0
        ? ` ${counted(more, 'further label of a latent is', 'further labels of the same latents are')} left out.`
        : ''
    const stated = counted(claims.length, 'claim is', 'claims are')
    const json = { claims: claims.length, leftOut: more, proof, unproven }
    if (isStdout(config.output))
      return {
        text: `${stated} in the output. ${told}${others}`,
        json: { ...json, path: '-' },
        data,
      }
    const to = resolve(config.output)
    await writeTo(to, data)
    return {
      text: `${stated} in ${to}. ${told}${others}\nNext: pipeline validate --sae ${shellWord(config.sae)} --claimsFile ${shellWord(config.output)}${inRuns(config)}`,
      json: { ...json, path: to },
    }
  },
})

/** A claim a latent, by its first label, and how many other labels there are. */
function claimsOf(
  labels: readonly ImportedLabel[],
  latents: readonly number[] | undefined,
): { readonly claims: WrittenClaim[]; readonly more: number } {
  const known = new Set(labels.map(({ latent }) => latent))
  const missing = latents?.find(latent => !known.has(latent))
  if (missing !== undefined)
    throw new UserError(`There is no label of latent ${missing}.`, { fix: 'Leave it out of --latents.' })
  const wanted = latents && new Set(latents)
  const first = new Map<number, ImportedLabel>()
  let more = 0
  for (const label of labels) {
    if (wanted && !wanted.has(label.latent)) continue
    if (first.has(label.latent)) more++
    else first.set(label.latent, label)
  }
  if (first.size === 0)
    throw new UserError('There are no labels in it.', { fix: 'Name a file or folder that holds some.' })
  const claims = [...first.values()]
    .sort((a, b) => a.latent - b.latent)
    .map(({ latent, label, concept }) => ({
      latents: [latent],
      hypothesis: `Latent ${latent} is about: ${clip(visible(label), 300)}`,
      concept,
    }))
  return { claims, more }
}

import { z } from 'zod'
import { NotThereError } from '../../../core/errors.ts'
import { FeatureEvidence, readEvidence } from '../../../validation/evidence.ts'
import { readExamples } from '../../read/examples.ts'
import { rowOf } from '../../read/select.ts'
import { defineRoute, type Sources } from '../route.ts'
import { featureColumns } from './features.ts'

/** The evidence of one latent in the validate run that a label run joined; null where there is none. */
async function evidenceOf({ runs }: Sources, id: string, latent: number): Promise<FeatureEvidence | null> {
  const { manifest } = await runs.finished(id, 'label')
  const input = manifest.inputs.find(({ role }) => role === 'evidence')
  if (!input?.run) return null
  const run = await runs.finished(input.run, 'validate')
  const evidence = await runs.kept(run, 'evidence.json', readEvidence)
  return evidence.features.find(({ claim }) => claim.feature === latent) ?? null
}

export default defineRoute({
  path: '/api/runs/{run}/features/{latent}',
  summary: 'One feature: its record, examples, and all its evidence',
  query: z.strictObject({}),
  answer: z.strictObject({
    feature: z.record(z.string(), z.unknown()),
    examples: z.array(z.record(z.string(), z.unknown())),
    evidence: FeatureEvidence.nullable(),
  }),
  async handle(sources, { run, latent }) {
    const { columns, sha256 } = await featureColumns(sources, run!)
    const number = /^\d{1,9}$/.test(latent!) ? Number(latent) : -1
    const row = columns.latent!.indexOf(number)
    if (row < 0) throw new NotThereError(`The run ${run} has no latent ${JSON.stringify(latent)}.`)
    const { directory } = await sources.runs.finished(run!, 'label')
    const examples = await readExamples(directory, new Set([number]))
    return {
      value: {
        feature: rowOf(columns, row),
        examples: (examples.get(number) ?? []).map(example => ({ ...example })),
        evidence: await evidenceOf(sources, run!, number),
      },
      tag: sha256,
    }
  },
})

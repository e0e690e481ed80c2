import { z } from 'zod'
import { Evidence, readEvidence } from '../../../validation/evidence.ts'
import { defineRoute } from '../route.ts'

export default defineRoute({
  path: '/api/runs/{run}/evidence',
  summary: 'The whole evidence of a validate run: claims, statistics, controls, verdicts',
  query: z.strictObject({}),
  answer: Evidence,
  async handle({ runs }, { run }) {
    const found = await runs.finished(run!, 'validate')
    return { value: await runs.kept(found, 'evidence.json', readEvidence), tag: found.manifest.sha256 }
  },
})

import { z } from 'zod'
import { hashValue } from '../../../core/hash.ts'
import { RunManifest } from '../../../runs/run.ts'
import { defineRoute } from '../route.ts'

export default defineRoute({
  path: '/api/runs/{run}',
  summary: "A run's manifest: settings, inputs by hash, figures, files",
  query: z.strictObject({}),
  answer: RunManifest,
  async handle({ runs }, { run }) {
    const { manifest } = await runs.find(run!)
    return { value: manifest, tag: manifest.sha256 ?? hashValue(manifest) }
  },
})

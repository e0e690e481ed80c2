/** `pipeline claims …`: claims that are written down before they are measured. */
import { resolve } from 'node:path'
import { z } from 'zod'
import { isStdout, writeTo } from '../../core/destination.ts'
import { shellWord } from '../../core/shell.ts'
import { memoryMetrics } from '../../core/stage.ts'
import { counted } from '../../core/text.ts'
import { defineCommand } from '../command.ts'
import { openStore, startProcessEngine } from '../stages/common.ts'
import { type StageConfig, stageSchema } from '../stages/stage.ts'
import validate from '../stages/validate.ts'
import { findValidated } from '../stages/validated.ts'
import { inRuns } from './in-runs.ts'

const shared = stageSchema(validate).omit({
  ...{ claimsFile: true, gates: true, name: true },
  ...{ workers: true, parts: true, mixed: true, shard: true, of: true },
})

export const template = defineCommand({
  about:
    'Writes a file of claims for an SAE: which latents, what each should cause and how strongly, as discovery text suggests. Nothing is measured. Change what you expect, add strata and falsifiers, then test it with `pipeline validate --claimsFile`.',
  examples: [
    'pipeline claims template --sae run42 --output claims.yaml',
    'pipeline validate --sae run42 --claimsFile claims.yaml',
  ],
  config: z.strictObject({
    output: z.string().min(1).describe('File to write; - is standard output'),
    ...shared.shape,
  }),
  groups: [
    { title: 'What it works on', keys: ['output', 'sae', 'model', 'dataset', 'latents', 'claims', 'concepts'] },
    { title: 'Settings of validate', keys: Object.keys(shared.shape) },
  ],
  hides: key =>
    ![
      'output',
      'sae',
      'model',
      'dataset',
      'latents',
      'claims',
      'concepts',
      'seed',
      'runs-dir',
      'engine',
      'threads',
    ].some(own => key === own),
  footer: 'All settings of `pipeline validate` hold here too; `pipeline validate --help` lists them.',
  async run(given, session) {
    const config = given as unknown as StageConfig & { readonly output: string }
    const found = await findValidated(config, openStore(config), session)
    await startProcessEngine(config)
    const { proposeClaims } = await import('../../validation/propose.ts')
    const { claimsText } = await import('../../validation/claims/claim-file.ts')
    const { progress, signal } = session
    const context = { directory: '', seed: config.seed, progress, signal, metrics: memoryMetrics() }
    const { claims, sae } = await found.using(context, async inputs => ({
      claims: await proposeClaims(context, inputs),
      sae: inputs.sae.hash,
    }))
    const data = claimsText(claims, { written: session.now().toISOString(), sae })
    const told = `${counted(claims.length, 'claim is', 'claims are')} in`
    if (isStdout(config.output))
      return { text: `${told} the output.`, json: { claims: claims.length, path: '-' }, data }
    const to = resolve(config.output)
    await writeTo(to, data)
    return {
      text: `${told} ${to}. Change them, then: pipeline validate --sae ${shellWord(String(config.sae))} --claimsFile ${shellWord(config.output)}${inRuns(config)}`,
      json: { claims: claims.length, path: to },
    }
  },
})

/** `pipeline sae measure`: what an SAE keeps of its site and how good its latents are, in numbers that other work reports. */
import { mkdir } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { z } from 'zod'
import { outsideRuns } from '../../core/destination.ts'
import { UserError } from '../../core/errors.ts'
import { writeJson } from '../../core/files.ts'
import { breathe, memoryMetrics } from '../../core/stage.ts'
import { columns, counted } from '../../core/text.ts'
import type { AbsorptionFound, ProbingFound, RavelFound } from '../../validation/contracts/measures.ts'
import type { ReconstructionFound } from '../../validation/judging/reconstruction.ts'
import { defineCommand } from '../command.ts'
import { openStore, ProcessConfig, StoreConfig, startProcessEngine } from '../stages/common.ts'
import { type StageConfig, stageSchema } from '../stages/stage.ts'
import validate from '../stages/validate.ts'
import { findValidated } from '../stages/validated.ts'

const names = ['reconstruction', 'probing', 'absorption', 'ravel'] as const

const settings = stageSchema(validate).pick({
  ...{ sae: true, model: true, dataset: true, concepts: true, robustness: true, tokens: true, maxTokens: true },
  ...{ batchTokens: true, positionBands: true, nearDuplicate: true, measures: true, seed: true },
})

/** What was measured, by name. */
interface Found {
  reconstruction?: ReconstructionFound
  probing?: ProbingFound | null
  absorption?: AbsorptionFound | null
  ravel?: RavelFound | null
}

export default defineCommand({
  about:
    'Measures an SAE in its model on held-out text: variance and loss kept, by stratum and position, k-sparse probing, absorption, RAVEL; each with the smallest difference that two SAEs must show. docs/studies.md has the definitions.',
  examples: [
    'pipeline sae measure run42',
    'pipeline sae measure run42 --only reconstruction,probing --saeBench results',
  ],
  operands: ['sae'],
  config: z.strictObject({
    ...settings.shape,
    only: z
      .array(z.enum(names))
      .min(1)
      .optional()
      .describe('Which measures (default: all; ravel where there are prompts about entities)'),
    saeBench: z.string().min(1).optional().describe('Folder for the same numbers in the layout of SAEBench'),
    ...ProcessConfig,
    ...StoreConfig,
  }),
  async run(given, session) {
    const config = given as unknown as StageConfig & { readonly only?: readonly string[]; readonly saeBench?: string }
    if (config.saeBench !== undefined) await outsideRuns(config.saeBench)
    const found = await findValidated(config, openStore(config), session)
    await startProcessEngine(config)
    const { splitText } = await import('../../validation/splits.ts')
    const { reconstruct } = await import('../../validation/reconstruct.ts')
    const { judgeReconstruction } = await import('../../validation/judging/reconstruction.ts')
    const { measures } = await import('../../validation/measures/index.ts')
    const { mustSpeakByLatent } = await import('../../sae/by-latent.ts')
    const { progress, signal } = session
    const { throwIfInterrupted } = await import('../../latents/activations.ts')
    const stop = () => throwIfInterrupted(signal)
    const context = { directory: '', seed: config.seed, progress, signal, metrics: memoryMetrics() }
    return found.using(context, async given => {
      const { model, sae } = given
      mustSpeakByLatent(sae, 'sae measure')
      const { dataset, windows } = await splitText(given, config.seed, stop)
      const inputs = { ...given, dataset }
      const hasEntities = inputs.config.measures.ravel !== undefined || dataset.config?.path === 'toyworld'
      const asked = config.only ?? names.filter(name => name !== 'ravel' || hasEntities)
      const bench = { context, inputs, windows, pause: () => breathe().then(stop) }
      const results: Found = {}
      const { rows, meanFrom } = asked.includes('reconstruction')
        ? await reconstruct(context, inputs, windows.discovery)
        : { rows: [], meanFrom: 'discovery' }
      if (rows.length > 0)
        results.reconstruction = judgeReconstruction(
          rows,
          { latents: sae.latents, width: sae.width, meanFrom },
          config.seed,
        )
      if (asked.includes('probing')) results.probing = measures.probing.judge(await measures.probing.measure(bench))
      if (asked.includes('absorption'))
        results.absorption = measures.absorption.judge(await measures.absorption.measure(bench))
      if (asked.includes('ravel')) results.ravel = measures.ravel.judge(await measures.ravel.measure(bench))
      const notes = config.saeBench ? [await writeSaeBench(config.saeBench)] : []
      return { text: [textOf(results, sae), ...notes].join('\n'), json: results }

      async function writeSaeBench(folder: string): Promise<string> {
        const { coreFile, ravelFile, sparseProbingFile } = await import('../../validation/measures/sae-bench.ts')
        const { reconstructionDefinitions } = await import('../../latents/reconstruction-rows.ts')
        const head = (definitions: Readonly<Record<string, string>>) => ({
          ...{ run: basename(String(config.sae)), sae, definitions, seed: config.seed, context: model.config.context },
          ...{ model: basename(model.path), dataset: dataset.name, milliseconds: session.now().getTime() },
        })
        const { reconstruction, probing, ravel } = results
        const files = [
          ...(reconstruction ? [['core', coreFile(head(reconstructionDefinitions), reconstruction, rows, sae)]] : []),
          ...(probing ? [['sparse_probing', sparseProbingFile(head(measures.probing.definitions), probing)]] : []),
          ...(ravel ? [['ravel', ravelFile(head(measures.ravel.definitions), ravel)]] : []),
        ] as [string, unknown][]
        if (files.length === 0)
          throw new UserError('None of the measures that were asked for has a layout in SAEBench.', {
            fix: 'Ask for reconstruction, probing or ravel.',
          })
        const file = `${basename(String(config.sae))}_custom_sae_eval_results.json`
        for (const [name, content] of files) {
          const to = join(resolve(folder), name)
          await mkdir(to, { recursive: true })
          await writeJson(join(to, file), content)
        }
        return `SAEBench’s layout: ${files.map(([name]) => `${name}/${file}`).join(', ')} in ${folder}`
      }
    })
  },
})

const short = (value: number | null | undefined) =>
  value === null || value === undefined ? '–' : String(Number(value.toPrecision(3)))

/** A table of the numbers, each with the smallest reliable difference. */
function textOf(found: Found, { latents, architecture }: { readonly latents: number; readonly architecture: string }) {
  const rows: string[][] = [['', 'value', 'differs from']]
  const { reconstruction, probing, absorption, ravel } = found
  if (reconstruction)
    for (const name of ['fvu', 'l0', 'l2Ratio', 'ceRecoveredZero', 'ceRecoveredMean', 'ceRecoveredResample'] as const)
      rows.push([
        {
          fvu: 'FVU',
          l0: 'L0',
          l2Ratio: '‖x̂‖ / ‖x‖',
          ceRecoveredZero: 'CE recovered, zero',
          ceRecoveredMean: 'mean',
          ceRecoveredResample: 'resample',
        }[name],
        short(reconstruction[name]),
        short(reconstruction.reliability?.[name]?.smallestReliableDifference),
      ])
  if (probing) {
    for (const { k, accuracy, smallestReliableDifference } of probing.latents)
      rows.push([`probing, ${k} latent${k > 1 ? 's' : ''}`, short(accuracy), short(smallestReliableDifference)])
    rows.push(['probing, all values', short(probing.values.accuracy), short(probing.values.smallestReliableDifference)])
  }
  if (absorption)
    for (const name of ['full', 'fraction', 'splits', 'mainF1'] as const)
      rows.push([
        { full: 'absorbed fully', fraction: 'absorbed, share', splits: 'latents a concept', mainF1: 'their F1' }[name],
        short(absorption[name].mean),
        short(absorption[name].smallestReliableDifference),
      ])
  if (ravel)
    for (const name of ['cause', 'isolation', 'score'] as const)
      rows.push([`RAVEL ${name}`, short(ravel[name].mean), short(ravel[name].smallestReliableDifference)])
  const silent = (['probing', 'absorption', 'ravel'] as const).filter(name => found[name] === null)
  const why = {
    probing: 'probing: no concept has examples enough',
    absorption: 'absorption: no concept of tokens that a probe tells (F1 .6)',
    ravel: 'RAVEL: the model gives too few attributes of too few entities',
  }
  const measured = rows.length > 1
  return [
    `${architecture}, ${latents} latents${reconstruction ? `, ${counted(reconstruction.rows, 'token', 'tokens')}` : ''}`,
    ...(measured ? columns(rows, [1, 2]) : []),
    ...silent.map(name => why[name]),
    ...(ravel && ravel.values.cause < 0.5
      ? [
          `RAVEL: at this site the value at an entity decides ${short(100 * ravel.values.cause)} % of the answers, so that masks of latents say little; take an earlier site.`,
        ]
      : []),
    ...(measured ? ['An SAE differs by more than the last column, or it does not differ.'] : []),
  ].join('\n')
}

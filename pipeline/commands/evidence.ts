/** `pipeline evidence …`: bundles of evidence, held to their raw values, and all there is about an SAE. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { columns, figure } from '../../core/text.ts'
import type { RunStore } from '../../runs/store.ts'
import { defineCommand } from '../command.ts'
import { openStore, StoreConfig } from '../stages/common.ts'

export const verify = defineCommand({
  about:
    'Holds a bundle of evidence to its hashes, and computes every finding, verdict and tier again from the tables in it: no model, SAE or run store is needed, so that a copied folder can be checked anywhere. Exit code 2 where anything differs.',
  examples: ['pipeline evidence verify run42-validate', 'pipeline evidence verify ./copied-folder'],
  operands: ['bundle'],
  config: z.strictObject({
    bundle: z.string().describe('Folder with evidence.json and its tables, or the id of a validate run'),
    ...StoreConfig,
  }),
  async run(config) {
    const { verifyBundle } = await import('../../validation/bundle.ts')
    const folder = resolve(config.bundle)
    const directory = existsSync(join(folder, 'evidence.json'))
      ? folder
      : (await openStore(config).finished(config.bundle, ['validate'])).directory
    const found = await verifyBundle(directory)
    const { problems, features, recomputed, hashed, hashedOnly } = found
    const told =
      problems.length === 0
        ? `${features} features of ${directory}: ${recomputed} values follow from the tables; ${hashed} are held by their hashes alone (${hashedOnly.join(', ')}).`
        : [
            `${directory}: ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`,
            ...problems.map(({ what, problem }) => `  ${what} ${problem}`),
          ].join('\n')
    return { text: told, json: { bundle: directory, ...found }, exitCode: problems.length === 0 ? 0 : 2 }
  },
})

export const ledger = defineCommand({
  about:
    'Lists every validate run of an SAE in the run store, whatever its seed and settings, and what stands of their verdicts: the runs that tested a latent are one family, over which q is corrected (Benjamini and Yekutieli), and by how many of all runs have a pass.',
  examples: ['pipeline evidence ledger --sae run42'],
  operands: ['sae'],
  config: z.strictObject({
    sae: z.string().describe('Id or directory of the SAE, or of a validate run of it'),
    ...StoreConfig,
  }),
  async run(config) {
    const { readLedger } = await import('../stages/ledger.ts')
    const { standingsOf } = await import('../../validation/judging/ledger.ts')
    const store = openStore(config)
    const { runs, unreadable } = await readLedger(store, await saeHashOf(store, config.sae))
    const rows = runs.flatMap(({ run, started, seed }) =>
      standingsOf(run, runs).map(({ feature, verdict, q, runs: tests, qAcross, standing, tier, standingTier }) => ({
        ...{ run, started, seed, feature, verdict, tier, q, runs: tests, qAcross, standing, standingTier },
      })),
    )
    const lines = columns(
      [
        ['run', 'began', 'seed', 'latent', 'verdict', 'q', 'runs', 'q over runs', 'stands', 'as'],
        ...rows.map(row => [
          row.run,
          row.started.slice(0, 16),
          String(row.seed),
          String(row.feature),
          row.verdict,
          figure(row.q),
          String(row.runs),
          figure(row.qAcross),
          row.standing,
          row.standingTier,
        ]),
      ],
      [2, 3, 5, 6, 7],
    )
    const text = rows.length === 0 ? ['No validate run of this SAE is in the store.'] : lines
    const skipped = unreadable.map(({ run, reason }) => `${run} is not counted: ${reason}`)
    return { text: [...text, ...skipped].join('\n'), json: { runs: rows, unreadable } }
  },
})

/** The content hash of an SAE: as evidence of one of its runs has it, or of the SAE itself. */
async function saeHashOf(store: RunStore, reference: string): Promise<string> {
  const { evidenceOfRun } = await import('../stages/ledger.ts')
  const run = await store.find(reference).catch(() => undefined)
  if (run?.manifest.stage === 'validate') return (await evidenceOfRun(run)).hashes.sae
  const { findAnySae, openAnySae } = await import('../stages/sae.ts')
  const found = await findAnySae(store, reference)
  const { startEngine } = await import('../../engine/engine.ts')
  await startEngine()
  const sae = await openAnySae(found)
  sae.dispose()
  return sae.hash
}

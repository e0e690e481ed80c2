/** The stage validate: model × SAE × held-out text → evidence. */

import { z } from 'zod'
import { checkDestination, placeOf, writeTo } from '../../core/destination.ts'
import { figure } from '../../core/text.ts'
import { DatasetConfig } from '../../datasets/config.ts'
import { firstFigures } from '../../runs/first-figures.ts'
import { ValidateConfig } from '../../validation/config.ts'
import { tierNames } from '../../validation/evidence.ts'
import { GatesConfig, judgeGates } from '../../validation/judging/gates.ts'
import { type Standing, standingsOf } from '../../validation/judging/ledger.ts'
import { junitText, markdownText } from '../../validation/judging/told.ts'
import { evidenceOfRun, type Ledger, readLedger } from './ledger.ts'
import { defineStage } from './stage.ts'
import { findValidated } from './validated.ts'

export default defineStage({
  stage: 'validate',
  about:
    'Puts features of an SAE to a causal test on held-out text: ablation and steering against random directions and other latents, with effect sizes, intervals, permutation tests and a verdict for each. Model and text are those the SAE was captured from, unless others are named.',
  config: ValidateConfig,
  figures: firstFigures.validate,
  inputs: {
    sae: z.string().describe('Id or directory of the run that trained the SAE, or an SAELens directory'),
    model: z.string().optional().describe('Model directory (default: the one the SAE was captured from)'),
    dataset: DatasetConfig.optional(),
  },
  judged: {
    gates: GatesConfig,
    junit: z.string().min(1).optional().describe('File for JUnit XML: gates and claims as test cases'),
    markdown: z.string().min(1).optional().describe('File for a Markdown summary, such as $GITHUB_STEP_SUMMARY'),
  },
  float32Only: true,
  divisible: true,
  async prepare(config, store, session) {
    // Before hours of work, not after them.
    for (const flag of ['junit', 'markdown'] as const)
      if (typeof config[flag] === 'string') await checkDestination(placeOf(flag, config[flag]))
    const { open, using, ...found } = await findValidated(config, store, session)
    return {
      ...found,
      async work(context) {
        const { validate } = await import('../../validation/validate.ts')
        return using(context, inputs => validate(context, inputs))
      },
      async divide(context) {
        const { divideValidation } = await import('../../validation/divide.ts')
        const { inputs, close } = await open(context)
        try {
          return { ...(await divideValidation(context, inputs)), close }
        } catch (error) {
          close()
          throw error
        }
      },
    }
  },
  async judge(run, { gates, junit, markdown }, store) {
    const evidence = await evidenceOfRun(run)
    const { runs, unreadable } = await readLedger(store, evidence.hashes.sae, run)
    const standings = standingsOf(run.manifest.id, runs)
    const judged = judgeGates(GatesConfig.parse(gates), evidence, standings)
    const { id, started, finished } = run.manifest
    const told = { run: id, started, finished: finished ?? started, evidence, gates: judged, standings }
    if (typeof junit === 'string') await writeTo(placeOf('junit', junit), junitText(told))
    if (typeof markdown === 'string') await writeTo(placeOf('markdown', markdown), markdownText(told))
    return {
      gates: judged,
      notes: [...tierNote(standings), ...ledgerNotes(runs.length, standings), ...unreadableNote(unreadable)],
      found: { ledger: { runs: runs.length, unreadable, standings } },
    }
  },
})

/** How many claims are of each tier, those whose pass does not stand by what is left of it. */
function tierNote(standings: readonly Standing[]): string[] {
  const counts = tierNames.flatMap(name => {
    const count = standings.filter(({ standingTier }) => standingTier === name).length
    return count > 0 ? [`${count} ${name}`] : []
  })
  return counts.length > 0 ? [`tiers: ${counts.join(', ')}`] : []
}

/** What earlier and later runs of the same SAE make of the verdicts. */
function ledgerNotes(runs: number, standings: readonly Standing[]): string[] {
  const again = standings.filter(({ runs }) => runs > 1)
  const lost = standings.filter(({ verdict, standing }) => verdict !== standing)
  if (again.length === 0 && lost.length === 0) return []
  const before = again.reduce((most, { earlier }) => Math.max(most, earlier), 0)
  const others = again.length > 0 ? `${again.length} of the ${standings.length}` : 'none of the'
  return [
    `ledger: ${runs} runs tested this SAE; ${others} ${standings.length === 1 ? 'latent was' : 'latents were'} tested in others too${before > 0 ? ` (up to ${before} times before)` : ''}`,
    ...lost.map(
      ({ feature, runs, tried, passing, qAcross }) =>
        `latent ${feature} passed here, and does not stand: over the ${runs} runs that tested it, with ${passing} of the SAE’s ${tried} runs passing, q is ${figure(qAcross)}`,
    ),
  ]
}

const unreadableNote = (unreadable: Ledger['unreadable']): string[] =>
  unreadable.length === 0
    ? []
    : [
        `ledger: ${unreadable.map(({ run }) => run).join(', ')} cannot be read by this version and ${unreadable.length === 1 ? 'is' : 'are'} not counted`,
      ]

/** `pipeline runs drift`: whether two runs are of one distribution. */
import { resolve } from 'node:path'
import { z } from 'zod'
import { writeTo } from '../../core/destination.ts'
import { atMost } from '../../core/gate.ts'
import { columns, figure, shortPath } from '../../core/text.ts'
import { cellName, type Drift, driftedCells } from '../../runs/drift.ts'
import { defineCommand } from '../command.ts'
import { openStore, ProcessConfig, StoreConfig, startProcessEngine } from '../stages/common.ts'
import { exitCodeOf } from '../stages/perform.ts'
import { gateLines } from './stage-command.ts'

/** Cells that the text shows. */
const mostCells = 12

export default defineCommand({
  about:
    'Tells whether two captures, two SAEs or two validate runs of one SAE are of one distribution, by site and stratum or by latent, over documents, with p-values of the whole family.',
  examples: [
    'pipeline runs drift monday tuesday',
    'pipeline runs drift monday tuesday --sae run42',
    'pipeline runs drift monday tuesday --output drift.json --html drift.html --gates.maximumDrifted 0',
  ],
  operands: ['a', 'b'],
  config: z.strictObject({
    a: z.string().describe('The run to compare with: its id, or its directory'),
    b: z.string().describe('The other run'),
    sae: z.string().optional().describe('Compare how often the latents of this SAE fire in two captures'),
    documents: z.int().min(5).max(2000).default(100).describe('Documents of each run in a cell, at most'),
    draws: z.int().min(99).default(999).describe('Labellings of the documents that p-values are made of'),
    alpha: z.number().gt(0).lt(1).default(0.01).describe('Probability of any false alarm, over the whole family'),
    seed: z.int().min(0).default(0).describe('Seed of the labellings'),
    output: z.string().min(1).optional().describe('JSON file of the results'),
    html: z.string().min(1).optional().describe('HTML file with a plot'),
    gates: z
      .strictObject({
        maximumDrifted: z.int().min(0).optional().describe('Most cells that may have drifted'),
        maximumComposition: z
          .number()
          .min(0)
          .optional()
          .describe('Largest stability index of the populations over the strata'),
      })
      .prefault({})
      .describe('Thresholds that set the exit code: 2 where one fails, 3 where nothing could be tested'),
    ...ProcessConfig,
    ...StoreConfig,
  }),
  async run(config, session) {
    const { driftBetween } = await import('../stages/drift.ts')
    const store = openStore(config)
    const stages = ['capture', 'train', 'import', 'validate']
    const a = await store.finished(config.a, stages)
    const b = await store.finished(config.b, stages)
    if (config.sae !== undefined || a.manifest.stage === 'train' || a.manifest.stage === 'import')
      await startProcessEngine(config)
    const drift = await driftBetween(store, a, b, config, session)
    const { gates: set } = config
    const gates = [
      ...atMost('maximumDrifted', set.maximumDrifted, drift.tested > 0 ? drift.drifted : null),
      ...atMost('maximumComposition', set.maximumComposition, drift.composition),
    ]
    const written: string[] = []
    if (config.output !== undefined) {
      await writeTo(resolve(config.output), `${JSON.stringify(drift, null, 2)}\n`)
      written.push(config.output)
    }
    if (config.html !== undefined) {
      const { driftPage } = await import('../../dashboard/report/drift.ts')
      await writeTo(resolve(config.html), driftPage(drift))
      written.push(config.html)
    }
    return {
      text: [
        ...driftLines(drift),
        ...gateLines(gates),
        ...written.map(path => `written to ${shortPath(resolve(path))}`),
      ].join('\n'),
      json: { ...drift, gates },
      exitCode: exitCodeOf(gates),
    }
  },
})

/** What was found, for people. */
function driftLines(drift: Drift): string[] {
  const { a, b, cells, drifted, tested, alpha, notes, composition } = drift
  const found = driftedCells(drift)
  const verdict =
    tested === 0
      ? 'nothing could be tested: too few documents'
      : drifted === 0
        ? `no drift: none of ${tested} cells at α ${figure(alpha)}`
        : `drift: ${drifted} of ${tested} cells at α ${figure(alpha)}`
  const rows = found.slice(0, mostCells).map(cell => [
    `  ${cellName(cell)}`,
    cell.measures
      .filter(({ adjusted }) => adjusted !== null && adjusted <= alpha)
      .map(({ name, adjusted }) => `${name} p ${figure(adjusted)}`)
      .join(', '),
  ])
  return [
    `${a.id} and ${b.id}: ${verdict}`,
    ...columns(rows),
    ...(found.length > mostCells ? [`  … and ${found.length - mostCells} more`] : []),
    ...(composition === null ? [] : [`stability index of the populations over strata: ${figure(composition)}`]),
    ...(cells.length > tested ? [`${cells.length - tested} cells have too few documents, or do not vary`] : []),
    ...notes,
  ]
}

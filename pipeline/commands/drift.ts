/** `pipeline runs drift`: the stage drift, told as text, and its result as files for other places. */
import { resolve } from 'node:path'
import { z } from 'zod'
import { checkDestination, placeOf, writeTo } from '../../core/destination.ts'
import { columns, counted, figure, shortPath } from '../../core/text.ts'
import { cellName, type Drift, driftedCells } from '../../runs/drift.ts'
import { defineCommand } from '../command.ts'
import { openStore } from '../stages/common.ts'
import stage, { driftOfRun } from '../stages/drift.ts'
import { performStage } from '../stages/perform.ts'
import { type StageConfig, stageSchema } from '../stages/stage.ts'
import { gateLines } from './stage-command.ts'

/** Cells that the text shows. */
const mostCells = 12

const schema = stageSchema(stage)
const inputs = Object.keys(stage.inputs)
const settings = [...Object.keys(stage.config.shape), ...Object.keys(stage.judged ?? {})]

export default defineCommand({
  about: stage.about,
  examples: [
    'pipeline runs drift monday tuesday',
    'pipeline runs drift monday tuesday --sae run42',
    'pipeline runs drift monday tuesday --output drift.json --html drift.html --gates.maximumDrifted 0',
  ],
  operands: ['a', 'b'],
  config: schema.extend({
    output: z.string().min(1).optional().describe('JSON file that the results are written to as well'),
    html: z.string().min(1).optional().describe('HTML file with a plot'),
  }),
  groups: [
    { title: 'What it works on', keys: inputs },
    { title: 'Settings', keys: settings },
    { title: 'Files', keys: ['output', 'html'] },
    { title: 'The run', keys: Object.keys(schema.shape).filter(key => ![...inputs, ...settings].includes(key)) },
  ],
  async run({ output, html, ...config }, session) {
    const own = config as StageConfig
    for (const [flag, to] of Object.entries({ output, html }))
      if (typeof to === 'string') await checkDestination(placeOf(flag, to))
    const result = await performStage(stage, own, session)
    if ('runs' in result) throw new Error('A comparison is one run.')
    const drift = await driftOfRun(await openStore(own).find(result.directory))
    const written: string[] = []
    if (typeof output === 'string') {
      await writeTo(placeOf('output', output), `${JSON.stringify(drift, null, 2)}\n`)
      written.push(output)
    }
    if (typeof html === 'string') {
      const { driftPage } = await import('../../dashboard/report/drift.ts')
      await writeTo(placeOf('html', html), driftPage(drift, result.gates))
      written.push(html)
    }
    return {
      text: [
        ...driftLines(drift),
        ...gateLines(result.gates ?? []),
        `kept in ${shortPath(result.directory)}${result.state === 'unchanged' ? ', as it was before' : ''}`,
        ...written.map(path => `written to ${shortPath(resolve(path))}`),
      ].join('\n'),
      json: { ...drift, gates: result.gates ?? [], run: result.run, state: result.state },
      exitCode: result.exitCode,
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
        ? `no drift: none of ${counted(tested, 'cell', 'cells')} at α ${figure(alpha)}`
        : `drift: ${drifted} of ${counted(tested, 'cell', 'cells')} at α ${figure(alpha)}`
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
    ...(cells.length > tested
      ? [
          `${counted(cells.length - tested, 'cell has', 'cells have')} too few documents, or ${cells.length - tested === 1 ? 'does' : 'do'} not vary`,
        ]
      : []),
    ...notes,
  ]
}

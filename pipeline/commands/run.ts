/** `pipeline run file.yaml`: all stages of one file, each in its own process, skipping what is unchanged. */

import { join } from 'node:path'
import { UserError } from '../../core/errors.ts'
import { runChild } from '../child.ts'
import { defineCommand } from '../command.ts'
import { PipelineConfig, stagesOf } from '../plan.ts'
import type { StageResult } from '../stage.ts'
import { figuresOf } from '../stage.ts'
import { columns, duration, figure, shortPath, words } from '../text.ts'

/** Exit codes after which the next stage still has something to work on. */
const goesOn = [0, 2, 3]

export default defineCommand({
  about:
    'Does the stages that a file has sections for: capture, train, validate, label, report. A stage whose settings and inputs are unchanged is skipped, and one that was cut goes on where it stopped, so the same command is right after any interruption.',
  examples: ['pipeline run examples/demo.yaml', 'pipeline run my.yaml --train.k 16 --name k16'],
  operands: ['config'],
  config: PipelineConfig,
  groups: [
    { title: 'The whole', keys: ['name', 'seed', 'engine', 'precision', 'threads', 'runs-dir'] },
    { title: 'What it works on', keys: ['model', 'dataset'] },
  ],
  hides: key => /^(capture|train|validate|label|report)\./.test(key),
  footer:
    'Keys of a stage are flags too, after its name: --train.k 16. `pipeline <stage> --help` lists them. Exit code 2 means that a gate failed, 3 that the evidence is inconclusive; the stages after it are done all the same.',
  async run(config, session) {
    const began = performance.now()
    const results: StageResult[] = []
    const done: Record<string, string> = {}
    const planned = stagesOf(config)
    if (planned.length === 0)
      throw new UserError('run has nothing to do: the file has no section capture, train, validate, label or report.', {
        fix: 'Add one; an empty section, such as `validate: {}`, does the stage with its defaults.',
      })
    for (const [i, { stage, settings }] of planned.entries()) {
      session.progress.note(`${i + 1}/${planned.length} ${stage}`)
      const { exitCode, result } = await runChild(stage, settings(done), session.signal)
      if (!result || 'error' in result || !goesOn.includes(exitCode)) {
        const problem =
          result && 'error' in result ? result.error : { message: `The stage ${stage} ended with code ${exitCode}.` }
        // The child has said what is wrong; what is left to say is how far it came.
        const text = result === undefined ? `pipeline: ${problem.message}` : ''
        return {
          text: [...table(results), text].filter(Boolean).join('\n'),
          json: { name: config.name, stages: results, stopped: stage, error: { ...problem, exitCode } },
          exitCode: exitCode === 0 || exitCode > 128 ? 70 : exitCode,
        }
      }
      if (result.state === 'unchanged') session.progress.note(`unchanged: ${result.run}`)
      results.push(result)
      done[stage] = result.run
    }
    const codes = results.map(result => result.exitCode)
    const exitCode = codes.includes(2) ? 2 : codes.includes(3) ? 3 : 0
    const seconds = (performance.now() - began) / 1000
    const report = results.find(({ stage }) => stage === 'report')
    const lines = ['', ...table(results), '', `${config.name}: done in ${duration(seconds)}${gateText(exitCode)}`]
    if (report) lines.push(`Report: ${shortPath(join(report.directory, String(report.summary.page)))}`)
    return { text: lines.join('\n'), json: { name: config.name, stages: results, seconds, exitCode }, exitCode }
  },
})

function gateText(exitCode: number): string {
  return exitCode === 2 ? ', but a gate failed' : exitCode === 3 ? ', but the evidence is inconclusive' : ''
}

/** A row a stage: its run and the figures one looks at first. */
function table(results: readonly StageResult[]): string[] {
  if (results.length === 0) return []
  const rows = results.map(({ stage, run, state, seconds, summary }) => [
    stage,
    run,
    state === 'unchanged' ? 'unchanged' : duration(seconds),
    keyFigures(stage, summary),
  ])
  return columns([['stage', 'run', 'time', 'figures'], ...rows])
}

/** Which figures of a stage's summary stand in the closing table. */
const shown: Readonly<Record<string, readonly string[]>> = {
  capture: ['rows', 'strata', 'shards'],
  train: ['latents', 'l0', 'fvu', 'dead'],
  validate: ['passed', 'failed', 'inconclusive', 'fvu', 'ceRecoveredMean'],
  label: ['alive', 'labelled', 'meanF1'],
  report: ['features', 'bytes'],
}

function keyFigures(stage: string, summary: Readonly<Record<string, unknown>>): string {
  const figures = figuresOf(summary).filter(([, value]) => value !== null)
  const chosen = shown[stage]?.flatMap(name => figures.filter(([key]) => key === name)) ?? []
  return (chosen.length ? chosen : figures.slice(0, 3))
    .map(([name, value]) => `${words(name)} ${figure(value)}`)
    .join(', ')
}

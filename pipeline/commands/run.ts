/** `pipeline run file.yaml`: all stages of one file, each in its own process, skipping what is unchanged. */

import { join } from 'node:path'
import { z } from 'zod'
import { parseConfig } from '../../core/config.ts'
import { UserError } from '../../core/errors.ts'
import { columns, duration, figure, shortPath, words } from '../../core/text.ts'
import { type EngineChoice, resolveSettings } from '../../engine/settings.ts'
import { type CommandSession, defineCommand, type Outcome } from '../command.ts'
import { type ChildOutcome, endOf, runChild } from '../stages/child.ts'
import { ShareConfig } from '../stages/common.ts'
import { PipelineConfig, sections, stagesOf } from '../stages/file.ts'
import { stageNamed } from '../stages/index.ts'
import type { StageResult } from '../stages/perform.ts'
import { asksForShare, type ShareResult } from '../stages/share.ts'
import { figuresOf, type Stage, type StageConfig, stageSchema } from '../stages/stage.ts'
import { inRuns } from './in-runs.ts'
import { gateLines } from './stage-command.ts'

/** Exit codes after which the next stage still has something to work on. */
const goesOn = [0, 2, 3]

/** How much of a file is done: for clusters that do it in jobs of their own. */
const partial = {
  until: z.enum(sections).optional().describe('Stop after this stage'),
  shard: ShareConfig.shard.describe('Of the stage that --until names do one share, from 0 up, and leave its parts'),
  of: ShareConfig.of,
}

export default defineCommand({
  about:
    'Does the stages that a file has sections for: capture, train, validate, label, report. A stage whose settings and inputs are unchanged is skipped, and one that was cut goes on where it stopped, so the same command is right after any interruption.',
  examples: ['pipeline run examples/demo.yaml', 'pipeline run my.yaml --train.k 16 --name k16'],
  operands: ['config'],
  config: PipelineConfig.extend(partial),
  groups: [
    { title: 'The whole', keys: ['name', 'seed', 'engine', 'precision', 'threads', 'runs-dir', 'store'] },
    { title: 'Many processes', keys: ['workers', 'parts', 'mixed', 'on', 'queue', 'machines', 'units-per-job'] },
    { title: 'Some of it', keys: ['until', 'shard', 'of'] },
    { title: 'What it works on', keys: ['model', 'dataset'] },
  ],
  hides: key => ['schedule', ...sections].some(name => key.startsWith(`${name}.`)),
  footer:
    'Keys of a stage are flags too, after its name: --train.k 16. `pipeline <stage> --help` lists them. Exit code 2 means that a gate failed, 3 that the evidence is inconclusive; the stages after it are done all the same.',
  async run(config, session) {
    const began = performance.now()
    const results: Done[] = []
    // Runs by stage; where a stage made several, what follows is done for each of them.
    let branches: Branch[] = [{ done: {} }]
    const planned = plannedOf(config)
    const share = asksForShare(config) ? { shard: config.shard, of: config.of } : undefined
    await using crew = await crewOf(config, session)
    const { perform } = crew
    const pace = await paceOf(config.engine)
    if (pace) session.progress.note(pace)
    for (const [i, { stage, settings }] of planned.entries()) {
      const next: Branch[] = []
      for (const { done, label } of branches) {
        session.progress.note([`${i + 1}/${planned.length} ${stage.stage}`, label].filter(Boolean).join(': '))
        const isShared = share && i === planned.length - 1
        const { exitCode, result } = await perform(stage, { ...settings(done), ...(isShared ? share : {}) })
        if (!result || 'error' in result || !goesOn.includes(exitCode)) {
          const problem =
            result && 'error' in result ? result.error : { message: `The stage ${stage.stage} ${endOf(exitCode)}.` }
          // The child has said what is wrong; what is left to say is how far it came.
          const text = result === undefined ? `pipeline: ${problem.message}` : ''
          return {
            text: [...table(results), text].filter(Boolean).join('\n'),
            json: { name: config.name, stages: results, stopped: stage.stage, error: { ...problem, exitCode } },
            exitCode: exitCode === 0 || exitCode > 128 ? 70 : exitCode,
          }
        }
        if (isShared) return shareOutcome(config.name, result as unknown as ShareResult)
        for (const one of 'runs' in result ? result.runs : [{ ...result, label }]) {
          if (one.state === 'unchanged') session.progress.note(`unchanged: ${one.run}`)
          results.push(one)
          next.push({ done: { ...done, [stage.stage]: one.run }, label: one.label })
        }
      }
      branches = next
    }
    const codes = results.map(result => result.exitCode)
    const exitCode = codes.includes(2) ? 2 : codes.includes(3) ? 3 : 0
    const seconds = (performance.now() - began) / 1000
    const lines = ['', ...table(results), '', `${config.name}: done in ${duration(seconds)}${gateText(exitCode)}`]
    for (const { run, gates } of results) lines.push(...gateLines(gates).map(line => `${run}: ${line}`))
    for (const { directory, summary } of results.filter(({ stage }) => stage === 'report'))
      lines.push(`Report: ${shortPath(join(directory, String(summary.page)))}`)
    if (results.length > 0) lines.push(`All as pages: pipeline serve${inRuns(config)}`)
    return { text: lines.join('\n'), json: { name: config.name, stages: results, seconds, exitCode }, exitCode }
  },
})

/** The stages that are to be done; a `UserError` where `until` or a share asks for what the file does not have. */
function plannedOf(
  config: z.output<typeof PipelineConfig> & { until?: string | undefined; shard?: number | undefined },
) {
  const planned = stagesOf(config)
  const { until, shard } = config
  if (until === undefined) {
    if (shard === undefined) return planned
    throw new UserError('--shard needs --until, which names the stage that is shared.')
  }
  const last = planned.findIndex(({ stage }) => stage.stage === until)
  if (last < 0)
    throw new UserError(`--until names ${until}, but the file has no such section.`, {
      fix: `It has ${planned.map(({ stage }) => stage.stage).join(', ')}.`,
    })
  if (shard !== undefined && !planned[last]!.stage.divisible)
    throw new UserError(`The stage ${until} is done by one process, and has no shares.`, {
      fix: `Of this file ${planned.flatMap(({ stage }) => (stage.divisible ? [stage.stage] : [])).join(' and ') || 'no stage'} can be shared.`,
    })
  return planned.slice(0, last + 1)
}

function shareOutcome(name: string, share: ShareResult): Outcome {
  const { stage, shard, of, own, made } = share
  const text = `${name}: share ${shard} of ${of} of ${stage} is done, ${own} parts, ${made} of them now`
  return { text, json: { name, share }, exitCode: 0 }
}

/** Who does the stages: a process for each here, or workers of a queue. */
async function crewOf(config: PipelineConfig, session: CommandSession) {
  const here = (stage: Stage, settings: object): Promise<ChildOutcome> =>
    runChild(stage.stage, settings, session.signal)
  if (config.on === 'queue' && config.workers > 1)
    throw new UserError(`workers is ${config.workers}, but --on queue gives the work to workers of the queue.`, {
      fix: 'Leave workers out; start as many `pipeline worker`s as there are to be.',
    })
  if (config.on === 'local') return { perform: here, [Symbol.asyncDispose]: async () => {} }
  const { queueAt } = await import('./queue.ts')
  const { performRemotely } = await import('../workers/remote.ts')
  const queue = await queueAt(config)
  const perform = async (stage: Stage, settings: object): Promise<ChildOutcome> => {
    const own = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
    const parsed = parseConfig(stageSchema(stage), own, stage.stage) as StageConfig
    const runs = await performRemotely(stage, parsed, session, {
      queue,
      unitsPerJob: config['units-per-job'],
      priority: 100,
      look: 0.5,
    })
    const exitCode = Math.max(...runs.map(run => run.exitCode))
    const result =
      runs.length === 1 && runs[0]!.label === undefined
        ? runs[0]!
        : { stage: stage.stage, runs: runs.map(run => ({ ...run, label: run.label ?? '' })), seconds: 0, exitCode }
    return { exitCode, result }
  }
  return { perform, [Symbol.asyncDispose]: () => queue.close() }
}

/** What to expect where the slower engine does the work: measured on examples/demo.yaml, two cores. */
async function paceOf(engine: EngineChoice): Promise<string | undefined> {
  const { decideEngine } = await import('../../engine/engine.ts')
  if (decideEngine(resolveSettings({ engine }).engine).name !== 'wasm') return undefined
  return 'On the wasm engine this takes about six times as long as on TensorFlow: the demo six minutes instead of one.'
}

/** Runs that were made one from another. */
interface Branch {
  readonly done: Readonly<Record<string, string>>
  /** What sets it apart from the others. */
  readonly label?: string | undefined
}

type Done = StageResult & { readonly label?: string | undefined }

function gateText(exitCode: number): string {
  return exitCode === 2 ? ', but a gate failed' : exitCode === 3 ? ', but the evidence is inconclusive' : ''
}

/** A row a stage: its run and the figures one looks at first. */
function table(results: readonly Done[]): string[] {
  if (results.length === 0) return []
  const several = results.some(({ label }) => label !== undefined)
  const rows = results.map(({ stage, label, run, state, seconds, summary }) => [
    stage,
    ...(several ? [label ?? ''] : []),
    run,
    state === 'unchanged' ? 'unchanged' : duration(seconds),
    keyFigures(stage, summary),
  ])
  return columns([['stage', ...(several ? ['of'] : []), 'run', 'time', 'figures'], ...rows])
}

function keyFigures(stage: string, summary: Readonly<Record<string, unknown>>): string {
  const figures = figuresOf(summary).filter(([, value]) => value !== null)
  const chosen = stageNamed(stage).figures.flatMap(name => figures.filter(([key]) => key === name))
  return (chosen.length ? chosen : figures.slice(0, 3))
    .map(([name, value]) => `${words(name)} ${figure(value)}`)
    .join(', ')
}

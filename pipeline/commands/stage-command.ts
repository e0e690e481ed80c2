/** A stage as a command: its settings as flags, and what it came to as text. */
import type { Gate } from '../../core/gate.ts'
import { columns, counted, duration, figure, shortPath, words } from '../../core/text.ts'
import type { RunManifest } from '../../runs/run.ts'
import { type CommandDefinition, type CommandSession, defineCommand } from '../command.ts'
import { openStore } from '../stages/common.ts'
import type { Crew } from '../stages/divide.ts'
import { performStage, type StageResult, type StageResults } from '../stages/perform.ts'
import { asksForShare, performShare, type ShareResult } from '../stages/share.ts'
import { figuresOf, type Stage, type StageConfig, stageSchema } from '../stages/stage.ts'
import { inRuns } from './in-runs.ts'

/** What the command line adds to a stage. */
export interface StageText {
  readonly examples: readonly string[]
  /** The command that a person is likely to want next. */
  next?(run: RunManifest): string
  /** A last line for people, such as where the thing to look at is. */
  tells?(directory: string): string
  /** Keys that the help page leaves out, and what it says of them instead. */
  readonly hides?: (key: string) => boolean
  readonly footer?: string
}

/** Makes the command of a stage. */
export function stageCommand(stage: Stage, text: StageText): CommandDefinition {
  const schema = stageSchema(stage)
  const inputs = Object.keys(stage.inputs)
  const own = [...Object.keys(stage.config.shape), ...Object.keys(stage.judged ?? {})].filter(
    key => !inputs.includes(key),
  )
  return defineCommand({
    about: stage.about,
    examples: text.examples,
    config: schema,
    groups: [
      { title: 'What it works on', keys: inputs },
      { title: 'Settings', keys: own },
      { title: 'The run', keys: Object.keys(schema.shape).filter(key => !inputs.includes(key) && !own.includes(key)) },
    ],
    ...(text.hides ? { hides: text.hides } : {}),
    ...(text.footer ? { footer: text.footer } : {}),
    async run(config, session) {
      const own = config as StageConfig
      if (asksForShare(own)) {
        const share = await performShare(stage, own, session)
        return { text: shareText(share), json: share }
      }
      const result = await performStage(stage, own, session, await crewFor(own, session))
      if ('runs' in result) return { text: tableOf(stage, result), json: result, exitCode: result.exitCode }
      const { manifest } = await openStore(config as StageConfig).find(result.directory)
      return { text: textOf(result, manifest, text, inRuns(own)), json: result, exitCode: result.exitCode }
    },
  })
}

/** The processes that share a stage's work, where its config asks for several. */
async function crewFor({ workers = 1 }: StageConfig, session: CommandSession): Promise<Crew | undefined> {
  if (workers === 1) return undefined
  const { localCrew } = await import('../workers/crew.ts')
  return localCrew(workers, session)
}

function shareText({ stage, shard, of, units, own, made, run }: ShareResult): string {
  if (run !== undefined) return `${stage}: the run ${run} is finished already, nothing to do`
  return `${stage}: share ${shard} of ${of} has ${own} of ${units} parts; ${made} were done now, ${own - made} before\nNext: the same command without --shard and --of, when all shares are done`
}

/** Gates as lines: what each was, and what it had to be. */
export function gateLines(gates: readonly Gate[] = []): string[] {
  return columns(
    gates.map(({ name, status, value, threshold }) => [
      `gate ${words(name)}`,
      status,
      `${figure(value)}, ${name.startsWith('maximum') ? 'at most' : 'at least'} ${figure(threshold)}`,
    ]),
  )
}

function textOf(result: StageResult, manifest: RunManifest, { next, tells }: StageText, where: string): string {
  const { stage, run: id, directory, state, summary, gates, notes = [], timing, seconds, exitCode } = result
  const how =
    state === 'unchanged' ? 'unchanged, nothing to do' : `${state === 'resumed' ? 'resumed and ' : ''}finished`
  const rows = [...figuresOf(summary), ...Object.entries(timing)]
  return [
    `${stage} ${id}: ${how}${seconds ? ` in ${duration(seconds)}` : ''}`,
    ...columns(rows.map(([name, value]) => [`  ${words(name)}`, figure(value)])),
    ...gateLines(gates).map(line => `  ${line}`),
    ...notes.map(line => `  ${line}`),
    tells ? `  ${tells(shortPath(directory))}` : `  files in ${shortPath(directory)}`,
    ...(next && exitCode === 0 ? [`Next: ${next(manifest)}${where}`] : []),
  ].join('\n')
}

/** A row a run. */
function tableOf({ stage, figures }: Stage, { runs, seconds }: StageResults): string {
  const known = new Set(runs.flatMap(({ summary }) => figuresOf(summary).map(([name]) => name)))
  const names = figures.filter(name => known.has(name))
  const rows = runs.map(({ label, run, state, summary }) => [
    label,
    run,
    state === 'new' ? 'finished' : state === 'resumed' ? 'resumed and finished' : 'unchanged',
    ...names.map(name => figure(summary[name])),
  ])
  const worked = runs.some(({ state }) => state !== 'unchanged')
  return [
    `${stage}: ${counted(runs.length, 'run', 'runs')}, ${worked ? `done in ${duration(seconds)}` : 'unchanged, nothing to do'}`,
    ...columns(
      [['', 'run', '', ...names.map(words)], ...rows],
      [...names.keys()].map(i => i + 3),
    ).map(line => `  ${line}`),
  ].join('\n')
}

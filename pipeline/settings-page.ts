/** docs/settings.md: every key that a stage takes, from the schemas that parse it, so that the page cannot differ from them. */
import type { Flag } from './flags.ts'
import { flagsOf } from './flags.ts'
import { flagRow } from './help.ts'
import { CommonConfig, ShareConfig } from './stages/common.ts'
import { type StageEntry, stages } from './stages/index.ts'
import { stageSchema } from './stages/stage.ts'

const common = new Set([...Object.keys(CommonConfig), ...Object.keys(ShareConfig)])

/** The page, in Markdown: what every stage takes, then a section a stage. */
export function settingsPage(): string {
  const every = flagsOf(stageSchema(stages.find(({ stage }) => stage.divisible)!.stage))
  return [
    '# Settings',
    '',
    'Every key of every stage: of a file for `--config`, of its section in a pipeline file, and as a flag of its command, whose help shows',
    'the same. This page is made from the schemas by `npm run settings`.',
    '',
    '## Every run',
    '',
    '`workers` to `of` are of stages whose work can be shared ([workers](workers.md)); `engine`, `precision` and `threads` not of `report`.',
    '',
    ...table(every.filter(({ key }) => common.has(key))),
    ...stages.flatMap(sectionOf),
  ].join('\n')
}

function sectionOf({ stage }: StageEntry): string[] {
  const flags = flagsOf(stageSchema(stage)).filter(({ key }) => !common.has(key))
  const isGrid = ({ key }: Flag) => key.startsWith('grid.')
  return [
    '',
    `## ${stage.stage}`,
    '',
    stage.about,
    ...(flags.some(isGrid)
      ? ['', '`grid` takes lists of values of keys that are listed here: `grid: {k: [16, 32]}`.']
      : []),
    '',
    ...table(flags.filter(flag => !isGrid(flag))),
  ]
}

function table(flags: readonly Flag[]): string[] {
  const rows = flags.map(flag => `| ${code(flag.key)} | ${cell(flag.type)} | ${cell(flagRow(flag)[1])} |`)
  return ['| key | value | |', '|---|---|---|', ...rows]
}

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')
const code = (text: string) => `\`${cell(text)}\``

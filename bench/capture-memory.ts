/**
 * What a whole capture holds in memory, by the size of its text: `pipeline capture` as a person starts it, on JSONL text made by
 * repeating given documents with changed bytes. Memory is what the system says of its processes (Linux), at their peaks.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { UserError } from '../core/errors.ts'
import { columns } from '../core/text.ts'
import { toyworldDocuments } from '../datasets/toyworld/index.ts'
import { type MemoryGroup, memoryGroup } from './memory-group.ts'
import { defineBench, type Teller } from './options.ts'
import { peakMemory } from './peak-memory.ts'
import { machine } from './workers.ts'

const Config = z.strictObject({
  megabytes: z.array(z.int().min(1)).nonempty().default([50, 100]).describe('Sizes of the text'),
  model: z.string().default('toyworld').describe('Hugging Face model directory, or the built-in model toyworld'),
  documents: z.string().optional().describe('JSONL file with the documents to repeat; default: 2,000 of toyworld'),
  sites: z.array(z.string()).nonempty().default(['blocks.1.hook_resid_post']).describe('Sites that are captured'),
  tokens: z.int().min(1).default(200_000).describe('Rows of each capture'),
  memory: z
    .int()
    .min(64)
    .optional()
    .describe(
      'Megabytes (10⁶ bytes) that all processes of a capture may hold, pages of their files included: a control group',
    ),
  directory: z.string().default(tmpdir()).describe('Folder for text and captures, which are removed in the end'),
})
type Config = z.output<typeof Config>

export default defineBench({
  about:
    'What a whole capture holds in memory, by the size of its text: the peak of its own process, what of that is not program text, the same of all its processes, and the peak of the process that tokenises. --memory holds them to a bound, and says how often it was met.',
  examples: [
    'npm run bench -- capture-memory',
    'npm run bench -- capture-memory --memory 1000 --megabytes 256 --tokens 1000',
    'npm run bench -- capture-memory --model models/mine --documents corpus.jsonl --megabytes 250 --megabytes 1000',
  ],
  config: Config,
  engine: 'tensorflow',
  run: measure,
})

async function measure(config: Config, tell: Teller): Promise<void> {
  if (process.platform !== 'linux')
    throw new UserError(`capture-memory reads /proc, which ${process.platform} does not have.`, {
      fix: 'Measure on Linux.',
    })
  const lines = documentsOf(config)
  tell.line(machine())
  tell.line(`${config.model}, ${config.sites.join(', ')}, ${config.tokens} rows`)
  const { memory } = config
  const heads = [
    'text MB',
    'documents',
    'peak MiB',
    'not of files MiB',
    'all, not of files',
    'tokenising MiB',
    'seconds',
  ]
  const table: string[][] = [[...heads, ...(memory === undefined ? [] : ['bound met'])]]
  for (const megabytes of config.megabytes) {
    const folder = await mkdtemp(join(config.directory, 'bench-capture-memory-'))
    const group = memory === undefined ? undefined : memoryGroup(memory * 1e6)
    try {
      const text = join(folder, 'text.jsonl')
      const documents = writeText(text, lines, megabytes * 1e6)
      const start = performance.now()
      const { own, anonymous, together, children } = await peakMemory(startCapture(folder, text, config, group))
      const seconds = (performance.now() - start) / 1000
      const bound = group ? { bound: memory, met: group.met(), ended: group.ended() } : {}
      const figures = { megabytes, documents, peak: own, anonymous, together, children, seconds }
      tell.result({ benchmark: 'capture-memory', ...figures, ...bound })
      const row = [...Object.values(figures), ...(group ? [group.met()] : [])]
      table.push(row.map(value => String(Math.round(value))))
      if (group && group.ended() > 0)
        tell.fail(`${megabytes} MB: ${group.ended()} processes were ended since ${memory} MB were not enough.`)
    } finally {
      await group?.remove()
      await rm(folder, { recursive: true, force: true })
    }
  }
  for (const line of columns(table, [...table[0]!.keys()])) tell.line(line)
}

interface Line {
  readonly id: string
  readonly text: string
}

function documentsOf({ documents }: Config): Line[] {
  if (documents === undefined)
    return toyworldDocuments({ seed: 0, documents: 2000 }).map(({ id, text }) => ({ id, text: text! }))
  const lines = readFileSync(documents, 'utf8').split('\n').filter(Boolean)
  return lines.map((line, i) => ({
    id: String(i),
    text: z.looseObject({ text: z.string() }).parse(JSON.parse(line)).text,
  }))
}

/** Writes the documents again and again, each time with other ids and another first word, until there are so many bytes; how many. */
function writeText(path: string, lines: readonly Line[], bytes: number): number {
  const file = openSync(path, 'w')
  let [written, documents] = [0, 0]
  try {
    for (let round = 0; written < bytes; round++) {
      const first = lines[round % lines.length]!.text.split(' ', 1)[0]
      const all = lines.map(({ id, text }, i) =>
        JSON.stringify({
          id: `${round}-${id}`,
          text: round === 0 ? text : `${text} ${first} ${lines[(i * 7 + round) % lines.length]!.text}`,
        }),
      )
      written += writeSync(file, `${all.join('\n')}\n`)
      documents += lines.length
    }
  } finally {
    closeSync(file)
  }
  return documents
}

function startCapture(
  folder: string,
  text: string,
  { model, sites, tokens }: Config,
  group: MemoryGroup | undefined,
): ChildProcess {
  const cli = fileURLToPath(new URL('../pipeline/cli.ts', import.meta.url))
  const flags = [
    '--model',
    model,
    '--dataset.path',
    text,
    '--tokens',
    String(tokens),
    '--runs-dir',
    join(folder, 'runs'),
  ]
  const named = sites.flatMap(site => ['--sites', site])
  const args = ['--import', 'tsx', cli, 'capture', ...flags, ...named]
  const [program, given] = group?.command(process.execPath, args) ?? [process.execPath, args]
  return spawn(program, given, {
    stdio: ['ignore', 'ignore', 'inherit'],
    // Temporary files of the text lie beside it, on a disk of the user's choice.
    env: { ...process.env, TMPDIR: folder },
  })
}

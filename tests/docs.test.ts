/** What README and docs say can be typed is what the program takes. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { benches } from '../bench/index.ts'
import type { CommandDefinition } from '../pipeline/command.ts'
import { type CommandEntry, commands } from '../pipeline/commands/index.ts'
import { flagsOf, sectionsOf } from '../pipeline/flags.ts'
import { settingsPage } from '../pipeline/settings-page.ts'

const root = new URL('..', import.meta.url)
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(new URL('docs', root)).map(name => `docs/${name}`),
].filter(name => name.endsWith('.md'))
/** Flags that every command has. */
const everywhere = ['json', 'help', 'config', 'version']

interface Snippet {
  readonly page: string
  readonly text: string
}

/** Commands in fenced blocks, continued lines joined and comments off, and code within sentences. */
function snippetsOf(page: string): Snippet[] {
  const text = readFileSync(fileURLToPath(new URL(page, root)), 'utf8')
  const fences = [...text.matchAll(/^```(?:sh|bash)?\n(.*?)^```/gms)].flatMap(match =>
    match[1]!
      .replace(/\\\n\s*/g, ' ')
      .split('\n')
      .map(line => line.replace(/(^|\s)#.*$/, '').trim()),
  )
  const inline = [...text.replace(/^```.*?^```/gms, '').matchAll(/`([^`]+)`/g)].map(match =>
    match[1]!.replace(/\s+/g, ' '),
  )
  return [...fences, ...inline].filter(Boolean).map(text => ({ page, text }))
}

interface Known {
  readonly path: string
  /** Words that it takes without a flag. */
  readonly operands: number
  readonly flags: ReadonlyMap<string, string>
}

function knownOf(path: string, { config, operands = [] }: Pick<CommandDefinition, 'config' | 'operands'>): Known {
  const flags = [...flagsOf(config), ...sectionsOf(config)]
  return { path, operands: operands.length, flags: new Map(flags.map(({ key, type }) => [key, type])) }
}

async function commandsOf(entries: Readonly<Record<string, CommandEntry>>, path: string[] = []): Promise<Known[]> {
  const found: Known[] = []
  for (const [name, entry] of Object.entries(entries)) {
    const words = [...path, name]
    if (entry.commands) found.push(...(await commandsOf(entry.commands, words)))
    if (entry.load) found.push(knownOf(words.join(' '), await entry.load()))
  }
  return found
}

/** Benchmarks are commands too, of a program of their own. */
async function knownBenches(): Promise<Known[]> {
  const found: Known[] = []
  for (const [name, { load }] of Object.entries(benches)) found.push(knownOf(`bench ${name}`, (await load()).default))
  return found
}

const known = [...(await commandsOf(commands)), ...(await knownBenches())]
const snippets = pages.flatMap(snippetsOf)

/** The words after `pipeline` where a snippet calls it, however it is started; those of a benchmark have `bench` before. */
const called = ({ text }: Snippet) =>
  /^(?:npm run (?:-s )?pipeline --|npx pipeline|pipeline)\s+(.*)$/.exec(text)?.[1] ??
  /^npm run (bench) -- (.*)$/.exec(text)?.slice(1).join(' ')

/** What is wrong with a command line, or nothing. */
function problemOf(line: string): string | undefined {
  const [words] = line.split(/\s[|>&]/)
  const command = known.find(({ path }) => `${words} `.startsWith(`${path} `))
  if (!command) return /^(?:--|<|…|\w+ <)/.test(line) || groups.has(words!.trim()) ? undefined : 'no such command'
  const args = words!.slice(command.path.length).match(/'[^']*'|"[^"]*"|\S+/g) ?? []
  let places = 0
  for (let i = 0; i < args.length; i++) {
    const flag = /^--([\w.-]+)(=.*)?$/.exec(args[i]!)
    if (!flag) {
      if (!/^[[\]…]+$/.test(args[i]!)) places++
      continue
    }
    const key = flag[1]!.replace(/\]$/, '')
    if (!command.flags.has(key) && !everywhere.includes(key)) return `${command.path} has no flag --${key}`
    const alone =
      flag[2] !== undefined || ['json', 'help', 'version'].includes(key) || command.flags.get(key) === 'true|false'
    if (!alone) i++
  }
  const most = command.operands
  return places > most ? `${command.path} takes ${most} words without a flag, but has ${places}` : undefined
}
const groups = new Set(Object.keys(commands).filter(name => commands[name]!.commands))

test('there is something to check', () => {
  expect(snippets.filter(called).length).toBeGreaterThan(20)
  expect(known.length).toBeGreaterThan(15)
})

test.each([
  ['label --sae RUN --evidnce RUN', 'label has no flag --evidnce'],
  ['runs list all runs, oldest first', 'runs list takes 0 words without a flag, but has 4'],
  ['export labels --labels RUN --out FILE', 'export labels has no flag --labels'],
  ['capturing', 'no such command'],
  ['export labels --run RUN --to jsonl --output - --labelledOnly', undefined],
])('a wrong line is noticed: %s', (line, problem) => expect(problemOf(line)).toBe(problem))

describe('every command line that is written down can be typed', () => {
  test.each(pages)('%s', page => {
    const wrong = snippets
      .filter(snippet => snippet.page === page)
      .flatMap(snippet => {
        const line = called(snippet)
        const problem = line === undefined ? undefined : problemOf(line.replace(/\[|\]/g, ' ').trim())
        return problem ? [`${snippet.text}: ${problem}`] : []
      })
    expect(wrong).toEqual([])
  })
})

describe('every flag that a sentence names is one of some command', () => {
  const source = (name: string) => readFileSync(fileURLToPath(new URL(name, root)), 'utf8')
  const scripts = readdirSync(new URL('docs', root)).filter(name => name.endsWith('.py'))
  const all = new Set([
    ...everywhere,
    ...known.flatMap(({ flags }) => [...flags.keys()]),
    ...scripts.flatMap(name =>
      [...source(`docs/${name}`).matchAll(/'--([\w-]+)'|"--([\w-]+)"/g)].map(m => m[1] ?? m[2]!),
    ),
  ])
  test.each(pages)('%s', page => {
    const wrong = snippets
      .filter(({ page: of, text }) => of === page && text.startsWith('--'))
      .flatMap(({ text }) => [...text.matchAll(/(?:^|\s)--([\w.-]+)/g)].map(match => match[1]!))
      .filter(key => !all.has(key))
    expect(wrong).toEqual([])
  })
})

test('docs/settings.md has every key that a stage takes (npm run settings makes it anew)', () => {
  expect(readFileSync(new URL('docs/settings.md', root), 'utf8')).toBe(`${settingsPage()}\n`)
})

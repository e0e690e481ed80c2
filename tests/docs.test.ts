/** What README and docs say can be typed is what the program takes. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import type { CommandDefinition } from '../pipeline/command.ts'
import { type CommandEntry, commands } from '../pipeline/commands/index.ts'
import { flagsOf, sectionsOf } from '../pipeline/flags.ts'

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
  readonly definition: CommandDefinition
  readonly flags: ReadonlyMap<string, string>
}

async function commandsOf(entries: Readonly<Record<string, CommandEntry>>, path: string[] = []): Promise<Known[]> {
  const found: Known[] = []
  for (const [name, entry] of Object.entries(entries)) {
    const words = [...path, name]
    if (entry.commands) found.push(...(await commandsOf(entry.commands, words)))
    else {
      const definition = await entry.load()
      const flags = [...flagsOf(definition.config), ...sectionsOf(definition.config)]
      found.push({ path: words.join(' '), definition, flags: new Map(flags.map(({ key, type }) => [key, type])) })
    }
  }
  return found
}

/** Benchmarks are commands too, of a program of their own. */
const benches: Readonly<Record<string, CommandEntry>> = {
  'bench capture': {
    summary: '',
    load: async () => (await import('../bench/capture.ts')).default as unknown as CommandDefinition,
  },
  'bench ops': {
    summary: '',
    load: async () => (await import('../bench/ops.ts')).default as unknown as CommandDefinition,
  },
  'bench train': {
    summary: '',
    load: async () => (await import('../bench/train.ts')).default as unknown as CommandDefinition,
  },
  'bench validate': {
    summary: '',
    load: async () => (await import('../bench/validate.ts')).default as unknown as CommandDefinition,
  },
  'bench calibration': {
    summary: '',
    load: async () => (await import('../bench/calibration.ts')).default as unknown as CommandDefinition,

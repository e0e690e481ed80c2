/** What a command is, and how one is read from the command line: flags, config file, defaults, then the work. */

import { Command, CommanderError, Option } from 'commander'
import type { z } from 'zod'
import { parseConfig } from '../core/config.ts'
import { UserError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import { type Flag, flagsOf, mergeConfig, readConfigFile, readFlag, sectionsOf } from './flags.ts'
import { flagRow, type HelpSection, helpText } from './help.ts'
import type { Session } from './stages/session.ts'

/** What a command is given besides its config. */
export interface CommandSession extends Session {
  /** Width of the person's terminal. */
  readonly columns: number
}

/** What a command came to. */
export interface Outcome {
  /** For people, on stdout. */
  readonly text: string
  /** For programs: printed instead of the text under `--json`. */
  readonly json: unknown
  /** What the command was asked to write to stdout; the text, or under `--json` the object, then goes to stderr. */
  readonly data?: string
  readonly exitCode?: number
}

export interface CommandDefinition<out S extends z.ZodObject = z.ZodObject> {
  /** What one types before the command's name; `pipeline` unless said. */
  readonly program?: string
  /** What it does, in a sentence or two. */
  readonly about: string
  readonly examples: readonly string[]
  /** Every key is a flag. */
  readonly config: S
  /** Keys that are given by place, without a flag's name; `config` is the config file. */
  readonly operands?: readonly string[]
  /** Headings of the help page and the keys below each; keys that none names stand under the first. */
  readonly groups?: readonly { readonly title: string; readonly keys: readonly string[] }[]
  /** Which keys the help page leaves out, because another page has them. */
  readonly hides?: (key: string) => boolean
  readonly footer?: string
  run(config: z.output<S>, session: CommandSession): Promise<Outcome>
}

/** Types a definition; nothing else. */
export function defineCommand<S extends z.ZodObject>(definition: CommandDefinition<S>): CommandDefinition {
  return definition
}

/** A command and what it is to work on, read from the command line. */
export interface Invocation {
  readonly json: boolean
  run(session: CommandSession): Promise<Outcome>
}

/** Thrown where a command line only asks for a text: help or the version. */
export class TextAsked extends Error {
  readonly text: string
  constructor(text: string) {
    super(text)
    this.text = text
  }
}

/** Reads the arguments after the command's name. Throws `UserError` for what it does not know, `TextAsked` for help. */
export async function readCommand(
  name: string,
  definition: CommandDefinition,
  args: readonly string[],
  columns: number,
): Promise<Invocation> {
  const flags = flagsOf(definition.config)
  const known = new Map([...flags, ...sectionsOf(definition.config)].map(flag => [flag.key, flag]))
  const given = new Map<string, string[]>()
  let file: string | undefined
  let json = false
  const operands = definition.operands ?? []
  const typed = `${definition.program ?? 'pipeline'} ${name}`

  const command = new Command(name).exitOverride().helpOption(false).allowExcessArguments(true)
  command.configureOutput({ writeOut() {}, writeErr() {} })
  command.argument('[operands...]')
  for (const flag of known.values()) {
    const bare = flag.type === 'true|false'
    const option = new Option(`--${flag.key} ${bare ? '[value]' : '<value>'}`)
    command.addOption(
      option.argParser<unknown>(text => {
        given.set(flag.key, [...(given.get(flag.key) ?? []), text])
        return text
      }),
    )
    command.on(`option:${flag.key}`, (text: string | null | undefined) => {
      if (text === null || text === undefined) given.set(flag.key, ['true'])
    })
  }
  command.addOption(new Option('-c, --config <file>').argParser(text => (file = text)))
  command.on('option:json', () => (json = true)).addOption(new Option('--json'))
  command.addOption(new Option('-h, --help')).on('option:help', () => {
    throw new TextAsked(commandHelp(name, definition, flags, columns))
  })
  try {
    command.parse([...args], { from: 'user' })
  } catch (error) {
    throw error instanceof CommanderError ? wrongUsage(error, { name, typed, keys: [...known.keys()] }, args) : error
  }
  if (command.args.length > operands.length)
    throw strayOperand({ name, typed, operands }, command.args[operands.length]!)
  for (const [i, text] of command.args.entries()) {
    if (operands[i] === 'config') file = text
    else given.set(operands[i]!, [text])
  }

  const values = new Map([...given].map(([key, texts]) => [key, readFlag(known.get(key)!, texts)]))
  const fromFile = file === undefined ? {} : await readConfigFile(file)
  const config = parseConfig(definition.config, mergeConfig(definition.config, fromFile, values), name)
  return { json, run: session => definition.run(config, session) }
}

/** A command as one types it. */
interface Typed {
  readonly name: string
  readonly typed: string
}

function wrongUsage(
  error: CommanderError,
  { name, typed, keys }: Typed & { readonly keys: readonly string[] },
  args: readonly string[],
): Error {
  if (error.code === 'commander.unknownOption') {
    const unknown = /'--?([^'=]*)/.exec(error.message)?.[1] ?? ''
    // Of a section that there is, the nearest is in it.
    const section = unknown.slice(0, unknown.lastIndexOf('.') + 1)
    const within = section === '' ? [] : keys.filter(key => key.startsWith(section))
    const [best] = nearest(unknown, within.length > 0 ? within : [...keys, 'config', 'json', 'help'], 1)
    return new UserError(`${name} has no flag --${unknown}.`, {
      fix: `Did you mean --${best}? \`${typed} --help\` lists all.`,
    })
  }
  if (error.code === 'commander.optionMissingArgument') {
    const flag = /--[^\s'<[]+/.exec(error.message)?.[0] ?? args.at(-1)
    return new UserError(`${name} needs a value after ${flag}.`, {
      fix: `\`${typed} --help\` lists all flags.`,
    })
  }
  return new UserError(error.message.replace(/^error: /, ''), { cause: error })
}

function strayOperand(
  { name, typed, operands }: Typed & { readonly operands: readonly string[] },
  stray: string,
): UserError {
  const takes = operands.length ? `takes ${operands.join(' and ')}` : 'takes flags only'
  return new UserError(`${name} ${takes}, but was given ${JSON.stringify(stray)} too.`, {
    fix: `\`${typed} --help\` shows how it is called.`,
  })
}

function commandHelp(name: string, definition: CommandDefinition, flags: readonly Flag[], columns: number): string {
  const operands = definition.operands ?? []
  const shown = flags.filter(flag => !operands.includes(flag.key) && !definition.hides?.(flag.key))
  const groups = definition.groups ?? [{ title: 'Flags', keys: [] }]
  const groupOf = (key: string) => groups.find(group => belongs(key, group.keys)) ?? groups[0]!
  const sections: HelpSection[] = groups.map(group => ({
    title: group.title,
    rows: shown.filter(flag => groupOf(flag.key) === group).map(flagRow),
  }))
  const required = new Map(flags.map(flag => [flag.key, flag]))
  const usage = operands.map(key => {
    if (key === 'config') return '<file>'
    return required.get(key)?.required ? `<${key}>` : `[${key}]`
  })
  return helpText(
    {
      usage: [definition.program ?? 'pipeline', name, ...usage, '[flags]'].join(' '),
      about: definition.about,
      examples: definition.examples,
      sections: [
        {
          title: 'Given by place',
          rows: operands.map(key =>
            key === 'config' ? ['file', 'YAML or JSON file'] : [key, required.get(key)?.description ?? ''],
          ),
        },
        ...sections,
        {
          title: 'How it is called',
          rows: [
            ['-c, --config <file>', 'YAML or JSON file with any of these keys; flags win over it; - is standard input'],
            ['--json', 'Print one JSON object on stdout; progress goes to stderr'],
            ['-h, --help', 'Show this page'],
          ],
        },
      ],
      ...(definition.footer ? { footer: definition.footer } : {}),
    },
    columns,
  )
}

function belongs(key: string, keys: readonly string[]): boolean {
  return keys.some(owner => key === owner || key.startsWith(`${owner}.`))
}

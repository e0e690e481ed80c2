import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { defineCommand, readCommand, TextAsked } from './command.ts'
import { flagsOf } from './flags.ts'
import { flagRow, helpText } from './help.ts'

const definition = defineCommand({
  about: 'Does a thing to activations, at length, so that this sentence has to be broken on narrow terminals.',
  examples: ['pipeline thing --k 16'],
  operands: ['run'],
  config: z.strictObject({
    run: z.string().describe('The run'),
    k: z.int().default(32).describe('Latents kept per token, of which there may be fewer when fewer are positive'),
    'a-rather-long-name.that': z.string().optional().describe('A key whose name is long'),
    section: z.strictObject({ some: z.string().optional().describe('Some of it') }).optional(),
    on: z.boolean().default(false).describe('Whether it is on'),
  }),
  run: async config => ({ text: '', json: config }),
})

async function help(columns: number): Promise<string> {
  const asked = await readCommand('thing', definition, ['--help'], columns).catch(error => error)
  expect(asked).toBeInstanceOf(TextAsked)
  return asked.text
}

const read = async (...args: string[]) => {
  const invocation = await readCommand('thing', definition, args, 80)
  return (await invocation.run({} as never)).json
}

describe('help', () => {
  test.each([60, 100])('fits %i columns', async width => {
    for (const line of (await help(width)).split('\n')) expect(line.length, line).toBeLessThanOrEqual(width)
  })

  test('puts descriptions beside the flags where there is room', async () => {
    expect(await help(100)).toMatchInlineSnapshot(`
      "Usage: pipeline thing <run> [flags]

      Does a thing to activations, at length, so that this sentence has to be broken on narrow terminals.

      Example
        pipeline thing --k 16

      Given by place
        run  The run

      Flags
        --k <integer>                     Latents kept per token, of which there may be fewer when fewer
                                          are positive (default: 32)
        --a-rather-long-name.that <text>  A key whose name is long
        --section.some <text>             Some of it
        --on <true|false>                 Whether it is on (default: false)

      How it is called
        -c, --config <file>  YAML or JSON file with any of these keys; flags win over it; - is standard
                             input
        --json               Print one JSON object on stdout; progress goes to stderr
        -h, --help           Show this page
      "
    `)
  })

  test('and below them where there is not', async () => {
    expect(await help(60)).toMatchInlineSnapshot(`
      "Usage: pipeline thing <run> [flags]

      Does a thing to activations, at length, so that this
      sentence has to be broken on narrow terminals.

      Example
        pipeline thing --k 16

      Given by place
        run  The run

      Flags
        --k <integer>
            Latents kept per token, of which there may be fewer
            when fewer are positive (default: 32)
        --a-rather-long-name.that <text>
            A key whose name is long
        --section.some <text>
            Some of it
        --on <true|false>
            Whether it is on (default: false)

      How it is called
        -c, --config <file>  YAML or JSON file with any of these
                             keys; flags win over it; - is
                             standard input
        --json               Print one JSON object on stdout;
                             progress goes to stderr
        -h, --help           Show this page
      "
    `)
  })
})

describe('reading', () => {
  test('operands, flags with = or a space, and bare switches', async () => {
    expect(await read('run42', '--k=16', '--on')).toEqual({ run: 'run42', k: 16, on: true })
    expect(await read('--on', 'false', '--k', '8', 'run42')).toEqual({ run: 'run42', k: 8, on: false })
  })

  test.each<[string[], string, string | undefined]>([
    [['x', '--kk', '3'], 'thing has no flag --kk.', 'Did you mean --k? `pipeline thing --help` lists all.'],
    [
      ['x', '--section.nonsense', '3'],
      'thing has no flag --section.nonsense.',
      'Did you mean --section.some? `pipeline thing --help` lists all.',
    ],
    [['x', '--k'], 'thing needs a value after --k.', '`pipeline thing --help` lists all flags.'],
    [['x', 'y'], 'thing takes run, but was given "y" too.', '`pipeline thing --help` shows how it is called.'],
    [[], 'thing needs the key run.', undefined],
    [['x', '--k', 'many'], 'thing key k is "many": Invalid input: expected number, received string.', undefined],
    [['x', '--config', 'absent.yaml'], 'There is no config file at absent.yaml.', 'Check the path.'],
  ])('%j is refused in a sentence', async (args, message, fix) => {
    await expect(read(...args)).rejects.toMatchObject({ message, fix })
  })
})

test('a long list of choices is broken behind its strokes', () => {
  const row = flagRow({
    ...flagsOf(z.strictObject({ of: z.enum(['geometric-median', 'mean', 'zero', 'another']) }))[0]!,
  })
  const page = { usage: 'x', about: 'y', examples: [], sections: [{ title: 'Flags', rows: [row] }] }
  expect(helpText(page, 40).split('\n').slice(4, 8)).toEqual([
    'Flags',
    '  --of <geometric-median|mean|zero|',
    '      another>',
    '      (required)',
  ])
})

/** A stage as people see it: its help page, and what it says when it is done. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Gate } from '../../core/gate.ts'
import { readCommand, type TextAsked } from '../command.ts'
import type { Stage } from '../stages/stage.ts'
import { session } from '../stages/store.fixture.ts'
import { gateLines, stageCommand } from './stage-command.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline stage command '))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const gates: Gate[] = [
  { name: 'minimumPassed', status: 'fail', value: 1, threshold: 2 },
  { name: 'maximumFvu', status: 'inconclusive', value: null, threshold: 0.1 },
]

/** Says how many latents it was asked for. */
const stage: Stage = {
  stage: 'counted',
  about: 'Counts latents.',
  config: z.strictObject({ latents: z.int().min(1).default(8).describe('How many'), hidden: z.string().optional() }),
  inputs: { sae: z.string().describe('Which SAE') },
  judged: { strict: z.boolean().optional().describe('Whether to be strict') },
  figures: ['latents'],
  needsEngine: false,
  prepare: async ({ sae, latents }) => ({
    config: { sae, latents },
    inputs: [],
    work: async () => ({ latents, meanF1: 0.65535, none: null, detail: { not: 'a figure' } }),
  }),
  prepareMany: async ({ sae, latents }) =>
    sae === 'both'
      ? {
          members: [1, 2].map(n => ({ label: `n ${n}`, seed: 0, config: { sae, latents, n }, inputs: [] })),
          work: async jobs => {
            for (const { index, finish } of jobs) await finish({ latents: index + 1 })
          },
        }
      : undefined,
  judge: async (_, { strict }) => ({ gates: strict ? gates : [] }),
}
const command = stageCommand(stage, {
  examples: ['pipeline counted --sae run42'],
  next: ({ id }) => `pipeline label --sae ${id}`,
  tells: directory => `Look at: ${directory}`,
  hides: key => key === 'hidden',
  footer: 'That is all.',
})

async function said(...args: string[]) {
  const { run } = await readCommand('counted', command, [...args, '--runs-dir', folder], 80)
  return run({ ...session, columns: 80 })
}

test('the help page has inputs, settings and what every run has, under a heading each', async () => {
  const help = await readCommand('counted', command, ['--help'], 80).catch(error => (error as TextAsked).text)
  expect(help).toMatch(
    /Counts latents\.[\s\S]*What it works on[\s\S]*--sae[\s\S]*Settings[\s\S]*--latents[\s\S]*--strict[\s\S]*The run[\s\S]*--name[\s\S]*That is all\./,
  )
  expect(help).not.toContain('--hidden')
})

describe('one run', () => {
  test('ends with its figures, where it is, and the command that comes next, as sh takes it', async () => {
    const { text, json, exitCode } = await said('--sae', 'run42', '--name', 'mine')
    expect(text.split('\n').map(line => line.replace(/ +/g, ' '))).toEqual([
      expect.stringMatching(/^counted mine: finished( in \d:\d\d)?$/),
      ' latents 8',
      ' mean f1 0.6553',
      ' none –',
      ` Look at: ${join(folder, 'mine')}`,
      `Next: pipeline label --sae mine --runs-dir '${folder}'`,
    ])
    expect(json).toMatchObject({ stage: 'counted', run: 'mine', summary: { meanF1: 0.65535, none: null } })
    expect(exitCode).toBe(0)
  })

  test('that is there already is said to be unchanged', async () => {
    await said('--sae', 'run42', '--name', 'mine')
    expect((await said('--sae', 'run42', '--name', 'mine')).text).toMatch(/^counted mine: unchanged, nothing to do\n/)
  })

  test('that fails a gate names it with its value, and suggests nothing', async () => {
    const { text, json, exitCode } = await said('--sae', 'run42', '--strict')
    expect(exitCode).toBe(2)
    expect(text).toMatch(/gate minimum passed\s+fail\s+1, at least 2/)
    expect(text).not.toContain('Next:')
    expect(json).toMatchObject({ gates })
  })

  test('of a name that belongs to other settings is refused', async () => {
    await said('--sae', 'run42', '--name', 'mine')
    await expect(said('--sae', 'run42', '--latents', '9', '--name', 'mine')).rejects.toThrow(
      'The run mine exists and was made from another config or other inputs.',
    )
  })
})

test('several runs are a table with a row each', async () => {
  const { text, json } = await said('--sae', 'both')
  const rows = text.split('\n').map(line => line.trim().split(/\s{2,}/))
  expect(rows[0]![0]).toMatch(/^counted: 2 runs, done in/)
  expect(rows.slice(1).map(row => [row[0], row.at(-1)])).toEqual([
    ['run', 'latents'],
    ['n 1', '1'],
    ['n 2', '2'],
  ])
  expect(json).toMatchObject({ runs: [{ label: 'n 1' }, { label: 'n 2' }] })
})

test('gates are lines in columns, a missing value a dash', () => {
  expect(gateLines(gates)).toEqual([
    'gate minimum passed  fail          1, at least 2',
    'gate maximum fvu     inconclusive  –, at most 0.1',
  ])
  expect(gateLines()).toEqual([])
})

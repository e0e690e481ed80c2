/** How a stage's runs are opened, closed and left, shown on a stage that writes one file. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { FaultError, InterruptedError, SpoiltError, UserError } from '../../core/errors.ts'
import type { Gate } from '../../core/gate.ts'
import { RunStore } from '../../runs/store.ts'
import { exitCodeOf, performStage, type StageResult, type StageResults } from './perform.ts'
import { ownConfig, type Stage, stageSchema } from './stage.ts'
import { common, session } from './store.fixture.ts'

let store: RunStore
beforeEach(() => {
  store = new RunStore(mkdtempSync(join(tmpdir(), 'pipeline-perform-')))
})
afterEach(() => rmSync(store.directory, { recursive: true, force: true }))

/** Times that the work was done. */
let works = 0
const gate = (status: Gate['status']): Gate => ({ name: 'minimumSize', status, value: 1, threshold: 2 })

/** Writes its size into a file; `throws` cuts its work short. */
function stageOf({ throws, gates = [] }: { throws?: Error; gates?: readonly Gate[] } = {}): Stage {
  return {
    stage: 'sized',
    about: 'Writes a size.',
    config: z.strictObject({ size: z.int().default(1) }),
    inputs: {},
    judged: { minimum: z.int().optional() },
    figures: ['size'],
    needsEngine: false,
    async prepare(config) {
      return {
        config: { size: config.size },
        inputs: [],
        async work({ directory }) {
          works++
          writeFileSync(join(directory, 'size.txt'), String(config.size))
          if (throws) throw throws
          return { size: config.size }
        },
      }
    },
    async prepareMany({ sizes, seed }) {
      if (!Array.isArray(sizes)) return undefined
      return {
        members: sizes.map(size => ({ label: `size ${size}`, seed, config: { size }, inputs: [] })),
        async work(jobs) {
          for (const { index, context, finish } of jobs) {
            works++
            if (throws && index === 1) throw throws
            writeFileSync(join(context.directory, 'size.txt'), String(sizes[index]))
            await finish({ size: sizes[index] })
          }
        },
      }
    },
    async judge(_, { minimum }) {
      return { gates: minimum === undefined ? [] : gates }
    },
  }
}

const perform = (stage: Stage, own: Record<string, unknown> = {}) =>
  performStage(stage, common(store, { size: 1, ...own }), session)
const runs = async () => (await store.list()).runs.map(({ manifest }) => [manifest.stage, manifest.status])

describe('one run', () => {
  test('is made once: the second time it is unchanged', async () => {
    works = 0
    const first = (await perform(stageOf())) as StageResult
    expect(first).toMatchObject({ stage: 'sized', state: 'new', summary: { size: 1 }, exitCode: 0 })
    expect(readFileSync(join(first.directory, 'size.txt'), 'utf8')).toBe('1')
    expect(await perform(stageOf())).toMatchObject({ run: first.run, state: 'unchanged', seconds: 0 })
    expect(works).toBe(1)
    expect(await perform(stageOf(), { size: 2 })).toMatchObject({ state: 'new' })
  })

  test('is not made again for what finished runs are judged by', async () => {
    works = 0
    expect(await perform(stageOf({ gates: [gate('fail')] }))).toMatchObject({ exitCode: 0 })
    const judged = (await perform(stageOf({ gates: [gate('fail')] }), { minimum: 2 })) as StageResult
    expect(judged).toMatchObject({ state: 'unchanged', exitCode: 2, gates: [gate('fail')] })
    expect(works).toBe(1)
  })

  test("leaves nothing where the input was a user's mistake or was damaged while it was read", async () => {
    await expect(perform(stageOf({ throws: new UserError('No.') }))).rejects.toThrow('No.')
    expect(await runs()).toEqual([])
    await expect(perform(stageOf({ throws: new SpoiltError('Changed.') }))).rejects.toThrow('Changed.')
    expect(await runs()).toEqual([])
  })

  test.each([
    ['Ctrl-C', new InterruptedError('Stopped.'), 'interrupted'],
    ['a full disk', new FaultError('Full.'), 'interrupted'],
    ['a bug', new Error('undefined is not a function'), 'failed'],
  ])('goes on after %s', async (_, error, status) => {
    await expect(perform(stageOf({ throws: error }))).rejects.toBe(error)
    expect(await runs()).toEqual([['sized', status]])
    expect(await perform(stageOf())).toMatchObject({ state: 'resumed', exitCode: 0 })
    expect(await runs()).toEqual([['sized', 'finished']])
  })

  test('that goes on is kept when a mistake ends it: it was begun with what was right', async () => {
    await expect(perform(stageOf({ throws: new InterruptedError('Stopped.') }))).rejects.toThrow()
    await expect(perform(stageOf({ throws: new UserError('No.') }))).rejects.toThrow()
    expect(await runs()).toEqual([['sized', 'failed']])
  })

  test('that a stage leaves open is a bug', async () => {
    const forgetful: Stage = { ...stageOf(), prepareMany: async () => ({ members: [member], work: async () => {} }) }
    await expect(perform(forgetful)).rejects.toThrow(/left the run .* open/)
  })
})

const member = { label: 'a', seed: 0, config: {}, inputs: [] }

describe('several runs', () => {
  test('have the ids and bytes that each has alone', async () => {
    const { runs, exitCode } = (await perform(stageOf(), { sizes: [1, 2] })) as StageResults
    expect(runs.map(({ label, state, summary }) => [label, state, summary])).toEqual([
      ['size 1', 'new', { size: 1 }],
      ['size 2', 'new', { size: 2 }],
    ])
    expect(exitCode).toBe(0)
    expect(await perform(stageOf(), { size: 2 })).toMatchObject({ run: runs[1]!.run, state: 'unchanged' })
  })

  test('keep what is finished when one is cut, and go on with the others', async () => {
    await expect(perform(stageOf({ throws: new InterruptedError('Stopped.') }), { sizes: [1, 2, 3] })).rejects.toThrow()
    expect((await runs()).map(([, status]) => status).sort()).toEqual(['finished', 'interrupted', 'interrupted'])
    const { runs: after } = (await perform(stageOf(), { sizes: [1, 2, 3] })) as StageResults
    expect(after.map(({ state }) => state)).toEqual(['unchanged', 'resumed', 'resumed'])
  })
})

describe('what may be set', () => {
  test('is the inputs, the settings, what runs are judged by, and what every run has', () => {
    const schema = stageSchema({ ...stageOf(), needsEngine: true })
    expect(Object.keys(schema.shape)).toEqual(
      expect.arrayContaining(['size', 'minimum', 'name', 'seed', 'engine', 'precision', 'runs-dir']),
    )
    expect(schema.parse({})).toMatchObject({ size: 1, seed: 0, precision: 'float32' })
    // A stage that computes nothing is not asked by what.
    expect(stageSchema(stageOf()).safeParse({ engine: 'wasm' }).success).toBe(false)
    expect(stageSchema({ ...stageOf(), float32Only: true }).safeParse({ precision: 'bf16' }).success).toBe(false)
  })

  test("is given to the stage by its own schema, without the run's keys", () => {
    expect(ownConfig(stageOf().config, { size: 4, name: 'mine', seed: 9 })).toEqual({ size: 4 })
  })
})

test('the exit code is of the worst gate: 2 failed, 3 undecided, 0 passed', () => {
  expect(exitCodeOf([])).toBe(0)
  expect(exitCodeOf([gate('pass')])).toBe(0)
  expect(exitCodeOf([gate('pass'), gate('inconclusive')])).toBe(3)
  expect(exitCodeOf([gate('inconclusive'), gate('fail')])).toBe(2)
})

test('no folder of a discarded run is left behind', async () => {
  await expect(perform(stageOf({ throws: new UserError('No.') }))).rejects.toThrow()
  expect(existsSync(store.directory) ? readdirSync(store.directory) : []).toEqual([])
})

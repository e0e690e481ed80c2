/** Every stage whose work can be shared: whoever does its units, in whatever order, leaves the bytes of one process. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Behaviour, completion, partsOf, startChatServer } from '../../labels/explain/chat-server.fixture.ts'
import { readRunManifest } from '../../runs/folder.ts'
import { compiledModule } from '../../tests/compiled.ts'
import { writeTinyModel } from '../../tests/tiny-model.ts'
import type { Crew } from '../stages/divide.ts'
import type { StageResult } from '../stages/perform.ts'
import type { StageConfig } from '../stages/stage.ts'
import { session } from '../stages/store.fixture.ts'

const { performStage } = await compiledModule<typeof import('../stages/perform.ts')>('pipeline/stages/perform.ts')
const { stageNamed, stages } = await compiledModule<typeof import('../stages/index.ts')>('pipeline/stages/index.ts')
const { stageSchema } = await compiledModule<typeof import('../stages/stage.ts')>('pipeline/stages/stage.ts')
const { openUnits } = await compiledModule<typeof import('../stages/divide.ts')>('pipeline/stages/divide.ts')
const { localCrew } = await compiledModule<typeof import('./crew.ts')>('pipeline/workers/crew.ts')

const divisible = stages.flatMap(({ stage }) => (stage.divisible ? [stage.stage] : []))
const alone: Record<string, object> = {}
let folder: string

const settings: Record<string, () => object> = {
  capture: () => ({
    ...{ model: join(folder, 'model'), dataset: { path: join(folder, 'text'), context: 32 } },
    ...{ sites: ['blocks.0.hook_resid_post'], shardRows: 200 },
  }),
  train: () => ({ capture: 'capture', latents: 600, k: 4, epochs: 1, batchTokens: 128 }),
  validate: () => ({
    ...{ sae: join(folder, 'one/train'), latents: 3, documents: 4, tokens: 600, maxTokens: 600, studies: ['halves'] },
    ...{ controls: { tied: 19, random: 19, foreign: 19 }, shuffles: 99, bootstrap: 200 },
    // Texts of a few sentences are near-duplicates of each other.
    nearDuplicate: 1,
  }),
  label: () => ({ sae: join(folder, 'one/train'), tokens: 600, batchTokens: 64 }),
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-sharing-'))
  await writeTinyModel(join(folder, 'model'))
  mkdirSync(join(folder, 'text'))
  const words = ['Mary lives in Paris . ', 'John likes Rome . ', 'Mary likes Mary . ', 'John lives in Rome . ']
  for (let i = 0; i < 60; i++)
    writeFileSync(join(folder, 'text', `${i}.txt`), (words[i % 4]! + words[(i >> 2) % 4]!).repeat(2 + (i % 3)))
  for (const stage of Object.keys(settings)) alone[stage] = (await perform(stage, 'one')).files
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Does a stage into a folder of runs; gives the hashes of its files, and how many units others did. */
async function perform(name: string, runs: string, crew?: Crew, own: object = {}) {
  const stage = stageNamed(name)
  const given = { name, engine: 'wasm', 'runs-dir': join(folder, runs), ...settings[name]!(), ...own }
  const config = stageSchema(stage).parse(given) as StageConfig
  const { directory } = (await performStage(stage, config, session, crew)) as StageResult
  const { files, engine } = (await readRunManifest(directory))!
  const [units = 0] = Object.values((engine.parts ?? {}) as Record<string, number>)
  return { files, units }
}

/** Others that each open the work for themselves and take turns, from the last unit to the first: of all, or the last `some`. */
function backwards(others: number, some = 0): Crew {
  return async ({ stage, config }) => {
    const open = []
    for (let i = 0; i < others; i++) {
      const opened = await openUnits(stage, config, session)
      if ('finished' in opened) throw new Error('The run is there already.')
      open.push(opened)
    }
    for (const unit of [...open[0]!.names.keys()].slice(-some).reverse()) await open[unit % others]!.work(unit)
    for (const one of open) await one.close()
  }
}

test('are capture, validate and label', () => expect(divisible).toEqual(['capture', 'validate', 'label']))

// Captures are shared in crew.test.ts, too.
test.each(process.env.PIPELINE_LONG ? divisible : ['validate', 'label'])(
  '%s by four that take turns, the last unit first',
  async stage => {
    const { files, units } = await perform(stage, 'turns', backwards(4))
    expect(units).toBeGreaterThanOrEqual(4)
    expect(files).toEqual(alone[stage])
  },
)

test('labels of which others made a part are gone on with, and a language model is asked by one process alone', async () => {
  const server = await startChatServer()
  const before = process.env.PIPELINE_CACHE_DIR
  let [under, most] = [0, 0]
  const behaviour: Behaviour = request => response => {
    most = Math.max(most, ++under)
    const { key, lines } = partsOf(request)
    const reply = 'explanation' in lines[0]! ? lines.slice(1).map((_, i) => i % 2 === 0) : 'names'
    setTimeout(() => {
      under--
      response.writeHead(200).end(completion(JSON.stringify({ [key]: reply })))
    }, 5)
  }
  const explainer = {
    ...{ endpoint: server.endpoint, model: 'm', scores: ['detection'], perPrompt: 40, concurrency: 2 },
    latents: Array.from({ length: 12 }, (_, latent) => latent),
  }
  const asked = async (runs: string, crew?: Crew) => {
    // Answers that were kept would not be asked for.
    process.env.PIPELINE_CACHE_DIR = join(folder, `cache-${runs}`)
    server.behave(behaviour)
    const { files, units } = await perform('label', runs, crew, { explainer, yes: true })
    return { files, units, requests: server.requests.length }
  }
  try {
    const { files, requests } = await asked('explained')
    expect(requests).toBeGreaterThan(3)
    const shared = await asked('explained-in-part', backwards(1, 1))
    expect(shared).toMatchObject({ files, requests })
    // A range of latents, and the text that it was described on.
    expect(shared.units).toBeGreaterThan(1)
    // Whether two are under way at once is chance; more never are.
    expect(most).toBeLessThanOrEqual(explainer.concurrency)
  } finally {
    if (before === undefined) delete process.env.PIPELINE_CACHE_DIR
    else process.env.PIPELINE_CACHE_DIR = before
    await server.close()
  }
})

test.runIf(process.env.PIPELINE_LONG).each([2, 4])(
  'all of them by %i processes',
  async workers => {
    for (const stage of divisible) {
      const { files, units } = await perform(stage, `processes-${workers}`, localCrew(workers, session))
      expect(units).toBeGreaterThanOrEqual(4)
      expect(files).toEqual(alone[stage])
    }
  },
  300_000,
)

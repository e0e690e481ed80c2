/** RAVEL on a model that knows eighteen entities by heart: three values of one attribute, three of another. */
import { beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from '../../engine/engine.ts'
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../../engine/tf.ts'
import { fakeConfig, fakeDataset } from '../../latents/fake.fixture.ts'
import { plantedSae, unitRow } from '../../latents/planted.fixture.ts'
import type { Model, RunOptions } from '../../model/model.ts'
import type { Sae } from '../../sae/sae.ts'
import { ValidateConfig } from '../config.ts'
import type { RavelFound } from '../contracts/measures.ts'
import { checkInputs } from '../inputs.ts'
import type { EntityPrompt } from './entity-prompts.ts'
import { keepsTheContract } from './measure.contract.ts'
import { judgeRavel, type RavelRow, ravelRows } from './ravel.ts'
import { ravel } from './ravel-measure.ts'

const [entities, width] = [18, 6]
const [markers, answers] = [1 + entities, 3 + entities]
const vocabulary = answers + width
const valueIn = (entity: number, attribute: number) => (attribute === 0 ? entity % 3 : Math.floor(entity / 3) % 3)
const site = 'blocks.0.hook_resid_post'

/** Token 1 + e is entity e, at position 1; behind the marker of an attribute comes the answer that is read off there. */
function knowingModel(): Model {
  const table = tf.keep(
    tf.tensor2d(
      Array.from({ length: vocabulary }, (_, token) => {
        const row = new Array<number>(width).fill(0)
        const entity = token - 1
        if (entity >= 0 && entity < entities) for (const a of [0, 1]) row[3 * a + valueIn(entity, a)] = 2
        return row
      }),
    ),
  )
  return {
    config: fakeConfig({ width, vocabulary, context: 8 }),
    sites: [{ name: site, axes: ['batch', 'position', 'width'], size: [width] }],
    hash: 'knowing',
    path: 'knowing',
    weights: {},
    run(tokens: Tensor2D, { hooks = {}, from, until }: RunOptions = {}): Tensor {
      return tf.tidy(() => {
        const x = (from?.value ?? tf.gather(table, tokens)) as Tensor3D
        const changed = (hooks[site]?.(x, site) ?? x) as Tensor3D
        if (until === site) return changed.clone()
        const [batch, length] = tokens.shape
        const known = changed.slice([0, 1, 0], [-1, 1, -1]).tile([1, length, 1])
        const asked = tf.tidy(() => {
          const isMarker = (a: number) =>
            tokens
              .equal(markers + a)
              .cast('float32')
              .expandDims(2)
              .tile([1, 1, 3])
          return tf.concat([isMarker(0), isMarker(1)], 2)
        })
        return tf.concat([tf.zeros([batch, length, answers]), known.mul(asked)], 2)
      })
    },
    unembedding: () => tf.zeros([width, vocabulary]) as Tensor2D,
    logitColumns: () => null,
    editedFrom: () => null,
    dispose: () => table.dispose(),
  }
}

const prompts = Array.from({ length: entities }, (_, e) =>
  [0, 1].map(
    (a): EntityPrompt => ({
      ...{ entity: `e${e}`, attribute: `a${a}`, form: 'f', position: 1 },
      tokens: Int32Array.from([0, 1 + e, markers + a]),
      answer: answers + 3 * a + valueIn(e, a),
    }),
  ),
).flat()

let model: Model
const notes: string[] = []
const note = (text: string) => void notes.push(text)
const found = new Map<string, RavelFound>()
let rows: RavelRow[]
let withLuck: RavelRow[]

beforeAll(async () => {
  await startEngine()
  model = knowingModel()
  const measure = async (name: string, sae: Sae, repeats = 1) => {
    const measured = await ravelRows({ model, sae, repeats, seed: 2, pause: async () => {}, note }, prompts)
    rows ??= measured
    found.set(name, judgeRavel(measured)!)
    sae.dispose()
  }
  const before = tf.memory().numTensors
  const identity = Array.from({ length: width }, (_, i) => unitRow(width, i))
  await measure('apart', plantedSae(identity), 3)
  // A latent an entity: both of its attributes at once.
  const whole = Array.from({ length: entities }, (_, e) =>
    Array.from({ length: width }, (_, j) => (j === valueIn(e, 0) || j === 3 + valueIn(e, 1) ? 1 : 0)),
  )
  await measure(
    'whole',
    plantedSae(
      whole,
      whole.map(row => row.map(x => 4 * x)),
      3.5,
    ),
  )
  await measure('silent', plantedSae(identity, identity, 100))
  const few = { model, sae: plantedSae(identity), repeats: 1, seed: 2, pause: async () => {}, note }
  // Five people, of one of whom alone a third thing is asked: what is given once is given by luck.
  const lucky = { ...prompts[0]!, attribute: 'a2' }
  expect(await ravelRows(few, [...prompts.slice(0, 10), lucky])).toEqual([])
  withLuck = await ravelRows(few, [...prompts, lucky])
  few.sae.dispose()
  expect(tf.memory().numTensors).toBe(before)
  model.dispose()
})

describe('RAVEL', () => {
  test('latents that hold attributes apart have cause and isolation of 1', () => {
    const { cause, isolation, score, attributes, entities: known } = found.get('apart')!
    expect([cause.mean, isolation.mean, score.mean]).toEqual([1, 1, 1])
    expect(known).toBe(entities)
    expect(attributes.map(({ attribute }) => attribute)).toEqual(['a0', 'a1'])
  })

  test('latents for whole entities cause, and do not isolate, so that their score is lower', () => {
    const { score, all } = found.get('whole')!
    expect(all.cause).toBe(1)
    expect(all.isolation).toBeLessThan(0.5)
    expect(score.mean).toBeLessThan(0.85)
  })

  test('an attribute that the model gives of one entity alone takes away no other entity', () => {
    expect(withLuck.map(({ entities: known }) => known)).toEqual(withLuck.map(() => entities))
    expect(new Set(withLuck.map(({ attribute }) => attribute))).toEqual(new Set(['a0', 'a1']))
  })

  test('of a model that knows too little it says how little', () => {
    expect(notes).toEqual([
      'RAVEL: of 3 attributes of 5 entities the model gives none for 6 entities or more, and all of these for 0; two attributes and 6 entities are needed.',
    ])
  })

  test('is refused on text without entities before anything is measured, and not where files of RAVEL are named', async () => {
    const sae = plantedSae([unitRow(width, 0)])
    const given = { model, sae, dataset: fakeDataset(4), config: ValidateConfig.parse({ studies: ['ravel'] }) }
    await expect(checkInputs(given)).rejects.toThrow('no prompts about any')
    await checkInputs({ ...given, ravel: { kind: 'city', attributes: {}, prompts: {} } })
    await checkInputs({ ...given, config: ValidateConfig.parse({}) })
    sae.dispose()
  })

  test('latents that never fire cause nothing: all stays as it is', () => {
    const { cause, isolation, values } = found.get('silent')!
    expect([cause.mean, isolation.mean]).toEqual([0, 1])
    expect(values.cause).toBe(1)
  })
})

keepsTheContract(ravel, () => rows)

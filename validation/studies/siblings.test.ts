import { beforeAll, describe, expect, test } from 'vitest'
import { startEngine } from '../../engine/engine.ts'
import { tf } from '../../engine/tf.ts'
import { fakeDataset, fakeModel, fakeSae } from '../../latents/fake.fixture.ts'
import { checkInputs } from '../inputs.ts'
import { benchOf, contractSettings, settingsOf, testedBy } from './bench.fixture.ts'
import { type SiblingRow, siblings } from './siblings.ts'
import { keepsTheContract } from './study.contract.ts'
import type { StudyContext, TestedLatent } from './study.ts'

let bench: StudyContext
let tested: TestedLatent<SiblingRow>[] = []
let leaks = 0

beforeAll(async () => {
  await startEngine()
  const [model, sae, twin] = [fakeModel(), fakeSae(), fakeSae()]
  const [random, untrained] = [fakeSae({ decoder: 'random', seed: 4 }), fakeSae({ decoder: 'untrained' })]
  const made = await benchOf(model, sae, fakeDataset(150), { latents: [0, 3], documents: 10 })
  const named = [
    { name: 'twin', sae: twin },
    { name: 'random', sae: random },
    { name: 'untrained', sae: untrained },
  ]
  bench = { ...made, inputs: { ...made.inputs, siblings: named } }
  const before = tf.memory().numTensors
  tested = await testedBy(siblings, bench)
  leaks = tf.memory().numTensors - before
  for (const one of [model, sae, twin, random, untrained]) one.dispose()
})

test('an SAE with the same directions has the latent, and one with random decoders or that is untrained has not', () => {
  expect(leaks).toBe(0)
  for (const found of siblings.judge(tested, settingsOf(bench))) {
    const [twin, random, untrained] = found!.siblings
    expect(twin).toMatchObject({ sae: 'twin', matched: true, passes: true })
    expect(twin!.cosine!).toBeCloseTo(1, 5)
    expect(twin!.low!).toBeGreaterThan(0.05)
    for (const other of [random!, untrained!]) expect(other).toMatchObject({ matched: false, passes: false })
    expect(found).toMatchObject({ matched: 1, passed: 1, finding: 'in-some' })
    // One of three, Clopper and Pearson.
    expect(found!.low).toBeCloseTo(0.0084, 4)
    expect(found!.high).toBeCloseTo(0.9057, 4)
  }
})

describe('by hand', () => {
  const rowsOf = (sae: string, cosine: number | null, effect: number): SiblingRow[] =>
    [0, 1, 2, 3, 4, 5, 6, 7].flatMap(d => [
      {
        ...{ sae, hash: sae, match: 5, cosine, document: `d${d}` },
        control: 'feature',
        controlId: null,
        target: -effect,
      },
      ...Array.from({ length: 19 }, (_, controlId) => ({
        ...{
          sae,
          hash: sae,
          match: 5,
          cosine,
          document: `d${d}`,
          control: 'random',
          controlId,
          target: -0.01 * (d % 2),
        },
      })),
    ])
  const of = (...rows: SiblingRow[][]) => siblings.judge([{ ...tested[0]!, rows: rows.flat() }], contractSettings)[0]!

  test('three partners that do the same replicate it; a partner that is too far away counts as none, whatever it does', () => {
    const three = of(rowsOf('a', 0.9, 1), rowsOf('b', 0.8, 1), rowsOf('c', 0.7, 1))
    expect(three).toMatchObject({ matched: 3, passed: 3, finding: 'replicates', high: 1 })
    expect(three.siblings[0]!.difference).toBeCloseTo(1 - 0.005, 12)
    expect(of(rowsOf('a', 0.5, 1))).toMatchObject({ matched: 0, passed: 0, finding: 'unmatched' })
    expect(of(rowsOf('a', 0.95, 0.02))).toMatchObject({ matched: 1, passed: 0, finding: 'in-none' })
    const nothing = { match: null, cosine: null, document: null, control: null, controlId: null, target: null }
    expect(of([{ sae: 'a', hash: 'a', ...nothing }])).toMatchObject({ finding: 'unmatched' })
  })
})

test('an SAE is no sibling of itself, and the study is not asked for without any', async () => {
  const { inputs } = bench
  const [own] = inputs.siblings!
  const same = { ...inputs, siblings: [{ name: 'own', sae: { ...own!.sae, hash: inputs.sae.hash } }] }
  await expect(checkInputs(same)).rejects.toThrow('is the SAE under test itself')
  const other = { name: 'one', sae: { ...own!.sae, hash: 'other' } }
  const twice = { ...inputs, siblings: [other, { ...other, name: 'copy' }] }
  await expect(checkInputs(twice)).rejects.toThrow('siblings one and copy are the same SAE, which would count twice')
  const asked = { ...inputs, siblings: [], config: { ...inputs.config, studies: ['siblings'] } }
  await expect(checkInputs(asked)).rejects.toThrow('names no SAE')
})

describe('as a study', () => {
  const row = (control: string, controlId: number | null, d: number): SiblingRow => ({
    ...{
      sae: 'a',
      hash: 'h',
      match: 1,
      cosine: 0.75,
      document: `d${d}`,
      control,
      controlId,
      target: control === 'feature' ? -1 : 0,
    },
  })
  const rows = [0, 1, 2, 3, 4].flatMap(d => [
    row('feature', null, d),
    row('foreign', 3, d),
    row('foreign', 4, d),
    row('foreign', 5, d),
  ])
  const one = { claim: { feature: 1, direction: 'decrease' }, rows, effects: [], evidence: {} }
  keepsTheContract(siblings, [one as unknown as TestedLatent<SiblingRow>], contractSettings)
})

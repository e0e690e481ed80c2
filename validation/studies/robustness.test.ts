import { beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import type { HeldDataset, TokenDataset } from '../../datasets/document.ts'
import { longestDocument, toyworldDocuments } from '../../datasets/toyworld/index.ts'
import { startEngine } from '../../engine/engine.ts'
import { tf } from '../../engine/tf.ts'
import { conceptOf, fakeDataset, fakeModel, fakeSae } from '../../latents/fake.fixture.ts'
import { benchOf, contractSettings, settingsOf, testedBy } from './bench.fixture.ts'
import { robustness } from './robustness.ts'
import type { RobustnessRow } from './robustness-found.ts'
import { shifts } from './shifts.ts'
import { keepsTheContract } from './study.contract.ts'
import type { StudyContext, TestedLatent } from './study.ts'

let bench: StudyContext
let tested: TestedLatent<RobustnessRow>[] = []
let leaks = 0

/** Tokens as letters; a mistyped one becomes filler 1. */
const tokenizer = {
  decode: async (ids: ArrayLike<number>) => `token${String.fromCharCode(97 + ids[0]!)}`,
  encodeAll: async (texts: readonly string[]) => texts.map(() => Int32Array.of(1)),
}

beforeAll(async () => {
  await startEngine()
  const [model, sae] = [fakeModel(), fakeSae()]
  const found = await benchOf(model, sae, fakeDataset(150), { latents: [0, 3], documents: 10 })
  bench = { ...found, inputs: { ...found.inputs, tokenizer } }
  const before = tf.memory().numTensors
  tested = await testedBy(robustness, bench)
  leaks = tf.memory().numTensors - before
  model.dispose()
  sae.dispose()
})

const judged = () => robustness.judge(tested, settingsOf(bench))

test('a latent whose concept is in the word keeps its effect wherever the word stands, and nothing is left on the engine', () => {
  expect(leaks).toBe(0)
  for (const found of judged()) {
    expect(found!.shifts.map(({ shift }) => shift)).toEqual(['position', 'length', 'typos'])
    expect(found!.asIs.difference).toBeGreaterThan(0.5)
    expect(found!.asIs.auroc).toBeGreaterThan(0.99)
    const [position, length, typos] = found!.shifts
    expect(position).toMatchObject({ documents: 10, active: 10, kept: 'yes' })
    expect(position!.auroc).toBeGreaterThan(0.99)
    expect(position!.aurocRatio!.ratio).toBeCloseTo(1, 2)
    // Half of the documents have no cue in their second half, and some cues are mistyped: nothing is left to take away there.
    expect(length!.active).toBeLessThan(10)
    expect(length!.ratio!.ratio).toBeLessThan(0.95)
    expect(typos!.ratio!.ratio).toBeLessThanOrEqual(1.2)
    // A mistyped cue still carries its concept, and the latent no longer fires on it.
    expect(typos!.auroc!).toBeLessThan(0.98)
    expect(found!.worst).toBe(length!.ratio!.ratio < typos!.ratio!.ratio ? 'length' : 'typos')
  }
})

describe('by hand', () => {
  /** Effects as claimed in six documents, with one control whose effect is 1. */
  const rowsOf = (shift: string, effects: readonly number[]): RobustnessRow[] =>
    effects.flatMap((value, d) =>
      (['feature', 'random'] as const).map(control => ({
        ...{ part: 'effect' as const, shift, document: `d${d}`, window: `w${d}`, control },
        ...{ controlId: control === 'random' ? 0 : null, target: control === 'random' ? -1 : -value },
        ...{ active: value === 1 ? 0 : 1, tokens: 0, positions: [], activations: [], labelled: [] },
      })),
    )
  const of = (...rows: RobustnessRow[][]) =>
    robustness.judge([{ ...tested[0]!, rows: rows.flat() }], contractSettings)[0]!
  const asIs = [5, 5.2, 4.8, 5.1, 4.9, 5]

  test('an effect of 4 beyond the control that becomes 2 is half of it', () => {
    const found = of(
      rowsOf('as-is', asIs),
      rowsOf(
        'typos',
        asIs.map(value => 1 + (value - 1) / 2),
      ),
      rowsOf(
        'length',
        asIs.map(() => 1),
      ),
    )
    expect(found.asIs.difference).toBeCloseTo(4, 12)
    const [typos, length] = found.shifts
    expect(typos!.ratio!.ratio).toBeCloseTo(0.5, 12)
    expect(length).toMatchObject({ active: 0, difference: 0, kept: 'no' })
    expect(found.worst).toBe('length')
  })

  test('where there is no effect as it is, no share of it is known', () => {
    const random = new Random(2)
    const noise = asIs.map(() => 1 + random.normal())
    const found = of(rowsOf('as-is', noise), rowsOf('typos', noise))
    expect(found.shifts[0]).toMatchObject({ ratio: null, kept: 'unclear' })
    expect(found.worst).toBeNull()
  })
})

describe('shifts', () => {
  const documents = toyworldDocuments({ seed: 3, documents: 40 })
  const dataset = {
    ...{ name: 'toyworld', documents, hash: '', tokenizerHash: '', concepts: [], config: { path: 'toyworld' } },
    windows: documents.map(({ id, tokens }, index) => ({
      ...{ id, index, split: 'validation' },
      tokens: Int32Array.of(0, ...tokens!),
      documents: new Uint32Array(tokens!.length + 1).fill(index),
      offsets: Int32Array.from({ length: tokens!.length + 1 }, (_, i) => i - 1),
    })),
  } as unknown as HeldDataset
  const make = (name: string, longest = longestDocument + 1) =>
    shifts
      .find(shift => shift.name === name)!
      .make({ dataset, neutral: dataset.windows, seed: 1, longest }, dataset.windows)

  test('a prefix leaves the text behind it, within the context', async () => {
    const found = (await make('position', 60))!.windows
    for (const [w, window] of dataset.windows.entries()) {
      const changed = found[w]
      if (changed) {
        expect(changed.tokens.length).toBeGreaterThan(window.tokens.length)
        expect(changed.tokens.length).toBeLessThanOrEqual(60)
        expect([...changed.tokens.slice(1 - window.tokens.length)]).toEqual([...window.tokens.slice(1)])
      } else expect(window.tokens.length).toBeGreaterThanOrEqual(60)
    }
  })

  test('told in other forms it keeps language and facts, and told in another language its facts', async () => {
    const [other, abroad] = [(await make('paraphrase'))!, (await make('language'))!]
    const facts = ({ documents: all }: TokenDataset) => all.map(({ strata }) => strata.factId)
    expect(facts(other.dataset)).toEqual(facts(dataset))
    expect(facts(abroad.dataset)).toEqual(facts(dataset))
    documents.forEach(({ strata }, i) => {
      expect(other.dataset.documents.at(i)!.strata.language).toBe(strata.language)
      expect(abroad.dataset.documents.at(i)!.strata.language).not.toBe(strata.language)
      expect(other.windows[i]!.tokens).not.toEqual(dataset.windows.at(i)!.tokens)
    })
  })

  test('text that is not toyworld is not told again, and nothing is mistyped without a tokenizer', async () => {
    const fake = fakeDataset(6)
    const source = { dataset: fake, neutral: [], seed: 1, longest: 64 }
    for (const shift of shifts)
      if (shift.name !== 'length') expect(await shift.make(source, fake.windows)).toBeUndefined()
  })

  test('typos keep the place of each token among its document’s, so that labels go with it', async () => {
    const fake = fakeDataset(6)
    const typos = shifts.find(({ name }) => name === 'typos')!
    const found = (await typos.make({ dataset: fake, neutral: [], tokenizer, seed: 1, longest: 64 }, fake.windows))!
    const changed = found.windows.filter(window => window !== null)
    expect(changed.length).toBeGreaterThan(2)
    for (const window of changed) {
      const original = fake.windows.at(window.index)!
      expect([...window.offsets]).toEqual([...original.offsets])
      const wrong = [...window.tokens].filter((token, i) => token !== original.tokens[i])
      expect(wrong.length).toBeGreaterThan(0)
      expect(wrong.every(token => conceptOf(token) < 0)).toBe(true)
    }
  })
})

describe('as a study', () => {
  const row = (shift: string, control: string, target: number, d: number): RobustnessRow => ({
    ...{
      part: 'effect',
      shift,
      document: `d${d}`,
      window: `w${d}`,
      control,
      controlId: control === 'random' ? 1 : null,
    },
    ...{ target, active: 1, tokens: 0, positions: [], activations: [], labelled: [] },
  })
  const rows = ['as-is', 'typos'].flatMap(shift =>
    [1, 2, 3, 4].flatMap(d => [row(shift, 'feature', -d - 5, d), row(shift, 'random', 0.1 * d, d)]),
  )
  const one = { claim: { feature: 1, direction: 'decrease' }, rows, effects: [], evidence: {} }
  keepsTheContract(robustness, [one as unknown as TestedLatent<RobustnessRow>], contractSettings)
})

import { afterAll, beforeAll, expect, test } from 'vitest'
import { startEngine } from '../engine/engine.ts'
import { type Tensor, type Tensor2D, tf } from '../engine/tf.ts'
import type { Model } from '../model/model.ts'
import { smallModel } from '../model/random.fixture.ts'
import type { Sae } from '../sae/sae.ts'
import { plantedSae, unitRow } from './planted.fixture.ts'
import type { PlayEdit } from './play-edits.ts'
import { Playground, type PlayRequest } from './playground.ts'

const site = 'blocks.0.hook_resid_post'
const tokens = Int32Array.of(1, 4, 2, 7, 3, 9)
const last = tokens.length - 1
let model: Model
let sae: Sae
let play: Playground
let found: number

beforeAll(async () => {
  await startEngine({ engine: 'auto' })
  model = smallModel('gpt2')
  const rows = Array.from({ length: 8 }, (_, i) => unitRow(8, i, i === 7 ? -1.5 : 1 + i / 8))
  sae = plantedSae(rows, rows, 0)
  found = tf.memory().numTensors
  play = new Playground(model, sae)
})
afterAll(() => {
  play.dispose()
  expect(tf.memory().numTensors).toBe(found)
  sae.dispose()
  model.dispose()
})

const asked = (edits: readonly PlayEdit[], more: Partial<PlayRequest> = {}): PlayRequest => ({
  ...{ edits, random: 2, foreign: 1, seed: 3, unitOf: () => 2, ...more },
})
/** A latent that fires, and its largest value, by the SAE alone. */
function strongest() {
  const values = tf.tidy(() => {
    const x = model.run(tf.tensor2d(tokens, [1, tokens.length], 'int32'), { until: site }).reshape([-1, 8]) as Tensor2D
    return sae.encodeDense(x).arraySync()
  })
  const at = values.flatMap((row, position) => row.map((value, latent) => ({ position, latent, value })))
  return at.filter(({ position, value }) => position > 0 && value > 0)
}

test('tells which latents fire where, as the SAE does, without position 0', () => {
  const entries = [...play.fires(tokens)].flatMap(([latent, at]) =>
    [...at].map(([position, value]) => ({ position, latent, value })),
  )
  const order = (list: typeof entries) => [...list].sort((a, b) => a.position - b.position || a.latent - b.latent)
  expect(order(entries).map(({ position, latent }) => [position, latent])).toEqual(
    order(strongest()).map(({ position, latent }) => [position, latent]),
  )
})

test('an edit does what adding its Δx by hand does', () => {
  const { latent } = strongest()[0]!
  const edits: PlayEdit[] = [
    { latent, kind: 'set', strength: 1.5, positions: [2, 4] },
    { latent: (latent + 1) % 8, kind: 'add', strength: -0.5, positions: [4] },
  ]
  const { rows, changes } = play.play(tokens, asked(edits), last)
  const expected = tf.tidy(() => {
    const input = tf.tensor2d(tokens, [1, tokens.length], 'int32')
    const plain = model.run(input)
    const delta = tf.buffer([1, tokens.length, 8])
    for (const { latent: l, positions, before, after } of changes)
      positions.forEach((p, i) => {
        for (let j = 0; j < 8; j++)
          delta.set(delta.get(0, p, j) + (after[i]! - before[i]!) * sae.decoder().arraySync()[l]![j]!, 0, p, j)
      })
    const edited = model.run(input, { hooks: { [site]: (value: Tensor) => value.add(delta.toTensor()) } })
    const [p, q] = [plain, edited].map(logits => logits.softmax(-1)) as [Tensor, Tensor]
    const kl = p.mul(p.log().sub(q.log())).sum(-1).reshape([-1]).arraySync() as number[]
    return { change: edited.sub(plain).reshape([tokens.length, -1]).arraySync() as number[][], kl }
  })
  expect(changes[0]!.after).toEqual([3, 3])
  expect(Array.from(rows[0]!.change)).toEqual(expected.change[last]!.map(value => expect.closeTo(value, 4)))
  expect(rows[0]!.kl).toBeCloseTo(expected.kl[last]!, 5)
  expect(rows[0]!.meanKl).toBeCloseTo(expected.kl.slice(2).reduce((a, b) => a + b) / 4, 5)
})

test('an edit that changes nothing gives exactly 0 everywhere, and so do its controls', () => {
  const { latent } = strongest()[0]!
  for (const positions of ['active', 'all', [3]] as const) {
    const { rows } = play.play(tokens, asked([{ latent, kind: 'scale', strength: 1, positions }]), last)
    expect(rows.map(({ kind }) => kind)).toEqual(['edit', 'random', 'random', 'foreign'])
    for (const { kl, meanKl, norm, change } of rows)
      expect([kl, meanKl, norm, ...change].every(x => x === 0)).toBe(true)
  }
})

test('controls are as long as the edit, along other directions, and the same for the same seed', () => {
  const { latent } = strongest()[0]!
  const edits: PlayEdit[] = [{ latent, kind: 'ablate', strength: 1, positions: 'active' }]
  const { rows } = play.play(tokens, asked(edits), last)
  for (const row of rows) expect(row.norm).toBeCloseTo(rows[0]!.norm, 5)
  expect(rows[0]!.norm).toBeGreaterThan(0.01)
  expect(new Set(rows.map(({ change }) => change.join())).size).toBe(rows.length)
  const again = play.play(tokens, asked(edits), last).rows
  expect(again.map(({ change }) => [...change])).toEqual(rows.map(({ change }) => [...change]))
  const other = play.play(tokens, asked(edits, { seed: 4 }), last).rows
  expect([...other[1]!.change]).not.toEqual([...rows[1]!.change])
  expect(rows.at(-1)!.id).not.toBe(latent)
})

test('goes on as the model does, and otherwise where an edit says so', () => {
  const edits: PlayEdit[] = [{ latent: 1, kind: 'add', strength: 30, positions: 'all' }]
  const generator = play.continue(tokens, asked(edits, { foreign: 1, random: 1 }), 4)
  let step = generator.next()
  while (!step.done) step = generator.next()
  const [base, edited] = step.value
  const greedy = [...tokens]
  for (let i = 0; i < 4; i++)
    greedy.push(
      tf.tidy(() => {
        const logits = model.run(tf.tensor2d(greedy, [1, greedy.length], 'int32')) as Tensor
        return logits
          .slice([0, greedy.length - 1, 0], [1, 1, 11])
          .argMax(-1)
          .dataSync()[0]!
      }),
    )
  expect(base!.tokens).toEqual(greedy.slice(tokens.length))
  expect(edited!.tokens).not.toEqual(base!.tokens)
})

test('with frozen attention an edit does what it does where every later pattern is put back by hand, and nothing is 0', () => {
  const { latent } = strongest()[0]!
  const edits: PlayEdit[] = [{ latent, kind: 'add', strength: 3, positions: [2] }]
  const frozen = play.play(tokens, asked(edits), last, 'frozen').rows
  const free = play.play(tokens, asked(edits), last).rows
  const expected = tf.tidy(() => {
    const input = tf.tensor2d(tokens, [1, tokens.length], 'int32')
    const delta = tf.buffer([1, tokens.length, 8])
    for (let j = 0; j < 8; j++) delta.set(6 * sae.decoder().arraySync()[latent]![j]!, 0, 2, j)
    const name = 'blocks.1.attn.hook_pattern'
    let pattern: Tensor | undefined
    const plain = model.run(input, {
      hooks: {
        [name]: (value: Tensor) => {
          pattern = tf.keep(value.clone())
          return undefined
        },
      },
    })
    const kept = pattern!
    const edited = model.run(input, {
      hooks: { [site]: (value: Tensor) => value.add(delta.toTensor()), [name]: () => kept.clone() },
    })
    const change = edited.sub(plain).reshape([tokens.length, -1]).arraySync() as number[][]
    kept.dispose()
    return change[last]!
  })
  expect(Array.from(frozen[0]!.change)).toEqual(expected.map(value => expect.closeTo(value, 4)))
  expect(Math.max(...frozen[0]!.change.map((value, i) => Math.abs(value - free[0]!.change[i]!)))).toBeGreaterThan(1e-3)
  expect(frozen.map(({ kind, id }) => [kind, id])).toEqual(free.map(({ kind, id }) => [kind, id]))
  const same = play.play(tokens, asked([{ latent, kind: 'scale', strength: 1, positions: 'all' }]), last, 'frozen').rows
  for (const { kl, change } of same) expect([kl, ...change].every(x => x === 0)).toBe(true)
})

test('tokens are drawn as the softmax says, the same for a seed, and an edit that changes nothing draws as the text does', () => {
  const went = (seed: number, temperature: number, edits: PlayEdit[] = []) => {
    const generator = play.continue(tokens, asked(edits, { seed, random: 1, foreign: 1 }), 3, temperature)
    let step = generator.next()
    while (!step.done) step = generator.next()
    return step.value.map(({ tokens }) => tokens)
  }
  expect(went(1, 1)).toEqual(went(1, 1))
  const nothing: PlayEdit = { latent: strongest()[0]!.latent, kind: 'scale', strength: 1, positions: 'all' }
  const rows = went(5, 2, [nothing])
  for (const row of rows) expect(row).toEqual(rows[0])
  // A temperature near 0 takes the likeliest; a high one has other tokens as often as their share, within four deviations.
  expect(went(2, 1e-3)).toEqual(went(2, 0))
  const shares = tf.tidy(() => {
    const logits = model.run(tf.tensor2d(tokens, [1, tokens.length], 'int32')) as Tensor
    return logits.slice([0, last, 0], [1, 1, 11]).div(3).softmax(-1).reshape([11]).arraySync() as number[]
  })
  const likeliest = shares.indexOf(Math.max(...shares))
  const draws = 60
  let found = 0
  for (let seed = 0; seed < draws; seed++) {
    const generator = play.continue(tokens, asked([], { seed }), 1, 3)
    let step = generator.next()
    while (!step.done) step = generator.next()
    if (step.value[0]!.tokens[0] === likeliest) found++
  }
  const p = shares[likeliest]!
  expect(Math.abs(found / draws - p)).toBeLessThan(4 * Math.sqrt((p * (1 - p)) / draws))
})

test.each<[string, PlayEdit, RegExp]>([
  ['a latent that is not there', { latent: 8, kind: 'set', strength: 1, positions: 'all' }, /no latent 8; it has 8/],
  [
    'a position behind the text',
    { latent: 0, kind: 'set', strength: 1, positions: [6] },
    /position 6, and the text has 6/,
  ],
])('%s is refused', (_, edit, message) => {
  expect(() => play.play(tokens, asked([edit]), last)).toThrow(message)
})

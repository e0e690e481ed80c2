/**
 * How many effects of edits a second are measured: a model of the shapes of stories260K (five blocks of width 64, 512 tokens)
 * with random weights, edits of `blocks.2.hook_resid_post` in windows of 64 tokens, 100 directions a window. Beside a loop of
 * two full passes an edit, as it is written at first. Numbers are held to that loop's before anything is timed.
 */
import { z } from 'zod'
import { Random } from '../core/random.ts'
import type { TokenWindow } from '../datasets/document.ts'
import { startEngine } from '../engine/engine.ts'
import { type Tensor, type Tensor2D, tf } from '../engine/tf.ts'
import { type DocumentEdits, type Interventions, interventionsAt } from '../latents/interventions.ts'
import { naiveEffect } from '../latents/naive.fixture.ts'
import { buildModel } from '../model/build.ts'
import { architectureOf } from '../model/families/index.ts'
import type { Model } from '../model/model.ts'
import { expectedShapes } from '../model/shapes.ts'
import { defineBench, flags, type Teller } from './options.ts'
import { machine } from './workers.ts'

const site = 'blocks.2.hook_resid_post'
const [width, vocabulary, length, windows, directions] = [64, 512, 64, 8, 100]
/** Edits that the loop is timed on, and numbers are compared of, a window. */
const compared = 5

const Config = z.strictObject({ rounds: flags.rounds })

export default defineBench({
  about:
    'Effects of edits a second, as validation measures them, beside a loop of full passes that gives the same numbers.',
  examples: ['npm run bench -- validate', 'npm run bench -- validate --rounds 3 --json'],
  config: Config,
  engine: 'tensorflow',
  run: measure,
})

function randomModel(): Model {
  const config = {
    ...{ model_type: 'llama', vocab_size: vocabulary, hidden_size: width, intermediate_size: 172 },
    ...{ num_hidden_layers: 5, num_attention_heads: 8, num_key_value_heads: 4, max_position_embeddings: 512 },
    tie_word_embeddings: true,
  }
  const random = new Random('bench validate')
  const weights: Record<string, Tensor> = {}
  for (const [name, shape] of expectedShapes(architectureOf(config))) {
    const size = shape.reduce((product, n) => product * n, 1)
    weights[name] = shape.length === 1 ? tf.ones([...shape]) : tf.tensor(random.normals(size, 0.12), [...shape])
  }
  return buildModel(config, weights, { path: 'benchmark', hash: '' })
}

/** Edits of windows of random tokens at one position in twenty, from `first` on. */
function requests(bank: Tensor2D, first: number): DocumentEdits[] {
  const random = new Random('bench edits')
  const weights = random.normals(vocabulary, 0.01)
  const mean = weights.reduce((sum, value) => sum + value, 0) / vocabulary
  return Array.from({ length: windows }, (_, w) => {
    const tokens = Int32Array.from({ length }, () => random.int(vocabulary))
    const positions = [
      first,
      ...Array.from({ length: length - first - 2 }, (_, i) => first + 1 + i).filter(() => random.int(20) === 0),
    ]
    const change = Float32Array.from(positions, () => -2)
    const window: TokenWindow = {
      ...{ id: `window-${w}`, index: w, split: 'validation', tokens },
      documents: new Uint32Array(length),
      offsets: new Int32Array(length),
    }
    return {
      ...{ window, positions, bank, batchTokens: 8192, weights: weights.map(value => value - mean) },
      edits: Array.from({ length: directions }, (_, direction) => ({ direction, change })),
    }
  })
}

/** Largest difference of any number from the loop's. */
function difference(model: Model, interventions: Interventions, asked: readonly DocumentEdits[]): number {
  let largest = 0
  for (const request of asked) {
    const all = interventions.measure(request)
    const targets = interventions.measureTargets(request)
    request.edits.slice(0, compared).forEach((edit, i) => {
      const expected = naiveEffect(model, site, request, edit)
      for (const key of ['target', 'loss', 'kl'] as const)
        largest = Math.max(largest, Math.abs(all[i]![key] - expected[key]))
      largest = Math.max(largest, Math.abs(targets[i]!.target - expected.target))
    })
  }
  return largest
}

interface Case {
  readonly name: string
  /** Effects that a step gives. */
  readonly effects: number
  step(): void
}

async function measure({ rounds }: z.output<typeof Config>, tell: Teller): Promise<void> {
  await startEngine({ engine: 'tensorflow' })
  const model = randomModel()
  const random = new Random('bench bank')
  const bank = tf.tensor2d(random.normals(directions * width, 0.125), [directions, width])
  const interventions = interventionsAt(model, site)
  try {
    const [early, late] = [requests(bank, 1), requests(bank, length / 2)]
    const largest = difference(model, interventions, [early[0]!, late[0]!])
    if (!(largest <= 1e-5)) throw new Error(`Effects differ from those of full passes by up to ${largest}.`)
    tell.line(machine())
    tell.line(
      `stories260K shapes at ${site}, ${windows} windows of ${length} tokens, ${directions} edits each, best of ${rounds}`,
    )
    tell.line(`largest difference from full passes: ${largest.toExponential(1)}`)
    const each = (asked: readonly DocumentEdits[], work: (request: DocumentEdits) => void) => () => asked.forEach(work)
    const all = windows * directions
    const cases: Case[] = [
      { name: 'full passes', effects: compared, step: () => naive(model, early[0]!) },
      { name: 'target, loss, KL', effects: all, step: each(early, request => interventions.measure(request)) },
      { name: 'target', effects: all, step: each(early, request => interventions.measureTargets(request)) },
      { name: 'target, loss, KL, late', effects: all, step: each(late, request => interventions.measure(request)) },
      { name: 'target, late', effects: all, step: each(late, request => interventions.measureTargets(request)) },
    ]
    const seconds = best(cases, rounds)
    tell.line('measured                 effects/s  to full passes')
    const loop = compared / seconds[0]!
    cases.forEach(({ name, effects }, i) => {
      const rate = effects / seconds[i]!
      tell.result({
        benchmark: 'validate',
        measured: name,
        effectsPerSecond: rate,
        toFullPasses: rate / loop,
        rounds,
        largestDifference: largest,
      })
      tell.line(`${name.padEnd(23)}  ${rate.toFixed(0).padStart(9)}  ${(rate / loop).toFixed(1).padStart(14)}`)
    })
  } finally {
    interventions.dispose()
    bank.dispose()
    model.dispose()
  }
}

function naive(model: Model, request: DocumentEdits): void {
  for (const edit of request.edits.slice(0, compared)) naiveEffect(model, site, request, edit)
}

/** Least seconds of each case over rounds in which they take turns; a first round warms up. */
function best(cases: readonly Pick<Case, 'step'>[], rounds: number): number[] {
  const seconds = cases.map(() => Number.POSITIVE_INFINITY)
  for (let round = 0; round <= rounds; round++)
    cases.forEach(({ step }, i) => {
      const start = performance.now()
      step()
      if (round > 0) seconds[i] = Math.min(seconds[i]!, (performance.now() - start) / 1000)
    })
  return seconds
}

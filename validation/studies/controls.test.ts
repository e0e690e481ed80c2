import { describe, expect, test } from 'vitest'
import { tf } from '../../engine/tf.ts'
import { fakeDataset, fakeModel, fakeSae, modelWidth, vocabularySize } from '../../latents/fake.fixture.ts'
import { benchOf, studied } from './bench.fixture.ts'
import { controlsStudy } from './controls.ts'
import { nextScale } from './equal-kl.ts'

const { tested, bench, foundOf } = studied(controlsStudy, () =>
  benchOf(fakeModel(), fakeSae(), fakeDataset(120), { latents: [0, 1], documents: 6 }),
)

const found = () => foundOf(0)
const kind = (name: string) => found().kinds.find(({ control }) => control === name)!
const rowsOf = (name: string) => tested[0]!.rows.filter(({ control }) => control === name)

/** The gradient of the target, which the model is linear in: U w. */
function gradient(): Float64Array {
  const unembedding = bench().inputs.model.unembedding()
  const u = unembedding.dataSync() as Float32Array
  unembedding.dispose()
  const { weights } = bench().plans[0]!.target
  return Float64Array.from({ length: modelWidth }, (_, j) =>
    weights.reduce((sum, w, v) => sum + w * u[j * vocabularySize + v]!, 0),
  )
}

/** Values at the site in the first window of the first latent's ablation, with its positions. */
function firstPlace() {
  const { window, activations } = bench().plans[0]!.documents.ablate[0]!
  const tokens = tf.tensor2d(window.tokens, [1, window.tokens.length], 'int32')
  const value = bench().inputs.model.run(tokens, { until: bench().inputs.sae.metadata.hook_name })
  const values = (value.dataSync() as Float32Array).slice()
  tf.dispose([tokens, value])
  return { window, positions: [...activations.keys()], values }
}

describe('a planted latent', () => {
  test('has an effect that no kind of control has a large share of, and none is left out', () => {
    const names = ['matched', 'projection-random', 'projection-foreign', 'equal-kl-random', 'equal-kl-foreign']
    for (const name of names) {
      expect(kind(name).count).toBe(19)
      // Scaled up until they change as much elsewhere, one or two of nineteen reach as far here by chance.
      expect(kind(name).p).toBeLessThanOrEqual(0.2)
      expect(kind(name).share!.ratio).toBeLessThan(0.3)
    }
    expect(kind('strongest').count).toBe(1)
    expect(kind('strongest').share!.ratio).toBeLessThan(0.5)
    expect(found().strongest).not.toBe(0)
    expect(found().effect).toBeLessThan(-0.5)
  })

  test('is measured beside matched latents at equal norm', () => {
    for (const row of [...rowsOf('matched'), ...rowsOf('strongest')]) {
      const own = rowsOf('latent').find(({ window }) => window === row.window)!
      expect(row.norm).toBeCloseTo(own.norm, 4)
    }
  })

  test('is compared with controls that change the prediction as much, by KL', () => {
    for (const name of ['equal-kl-random', 'equal-kl-foreign'])
      for (const id of new Set(rowsOf(name).map(({ controlId }) => controlId))) {
        const own = rowsOf(name).filter(({ controlId }) => controlId === id)
        const kl = own.reduce((sum, row) => sum + row.kl, 0) / own.length
        if (own[0]!.scale! < 64) expect(kl / found().kl!).toBeGreaterThan(0.85)
        expect(kl / found().kl!).toBeLessThan(1.15)
      }
  })

  test('a control takes out its own projection: −(x·u)(u·g) at the latent’s positions, computed apart', () => {
    const { window, positions, values } = firstPlace()
    const g = gradient()
    const drawn = bench().plans[0]!.controls.random!
    for (const row of rowsOf('projection-random').filter(one => one.window === window.id)) {
      const place = drawn.ids.indexOf(row.controlId!)
      const u = drawn.directions.subarray(place * modelWidth, (place + 1) * modelWidth)
      const read = u.reduce((sum, x, j) => sum + x * g[j]!, 0)
      const reach = positions.map(p => u.reduce((sum, x, j) => sum + x * values[p * modelWidth + j]!, 0))
      expect(row.target).toBeCloseTo((-read * reach.reduce((sum, x) => sum + x, 0)) / positions.length, 4)
      expect(row.norm).toBeCloseTo(reach.reduce((sum, x) => sum + Math.abs(x), 0) / positions.length, 4)
    }
  })

  test('the reconstruction does (x̂ − x)·g, and with the error nothing but rounding', () => {
    const { window, positions, values } = firstPlace()
    const g = gradient()
    const x = tf.tensor2d(values, [window.tokens.length, modelWidth])
    const y = bench().inputs.sae.reconstruct(x)
    const rebuilt = (y.dataSync() as Float32Array).slice()
    tf.dispose([x, y])
    const moved = positions.map(p =>
      g.reduce((sum, slope, j) => sum + slope * (rebuilt[p * modelWidth + j]! - values[p * modelWidth + j]!), 0),
    )
    const row = rowsOf('reconstruct').find(one => one.window === window.id)!
    expect(row.target).toBeCloseTo(moved.reduce((sum, value) => sum + value, 0) / positions.length, 4)
    for (const one of rowsOf('reconstruct-error')) {
      expect(Math.abs(one.target)).toBeLessThan(1e-5)
      expect(one.norm).toBeLessThan(1e-5)
    }
  })
})

describe('the search for equal KL', () => {
  test('ends at once where KL goes with the square, and after two trials with any power', () => {
    const square = (scale: number) => ({ scale, kl: 0.3 * scale ** 2 })
    expect(nextScale(1.2, square(1))).toBeCloseTo(2, 12)
    const cube = (scale: number) => ({ scale, kl: 0.1 * scale ** 3 })
    const second = nextScale(0.8, cube(1))
    expect(second).toBeCloseTo(Math.sqrt(8), 12)
    expect(nextScale(0.8, cube(second), cube(1))).toBeCloseTo(2, 10)
  })

  test('stays within bounds, and goes on from a control that does nothing', () => {
    expect(nextScale(1e9, { scale: 1, kl: 1e-9 })).toBe(64)
    expect(nextScale(1e-9, { scale: 1, kl: 1e9 })).toBe(1 / 64)
    expect(nextScale(1, { scale: 3, kl: 0 })).toBe(6)
  })
})

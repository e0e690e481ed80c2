import { beforeAll, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import type { TokenWindow } from '../../datasets/document.ts'
import { startEngine } from '../../engine/engine.ts'
import { activationsAbove, project, type SiteValues, thresholdsAt } from '../../latents/projections.ts'
import { randomUnits, type TiedSource, tiedGain } from './tied.ts'

beforeAll(() => startEngine())

const [tokens, width, share] = [2000, 12, 0.02]
const window: TokenWindow = {
  ...{ id: 'w', index: 0, split: 'discovery', tokens: new Int32Array(tokens + 1) },
  ...{ documents: new Uint32Array(tokens + 1), offsets: new Int32Array(tokens + 1) },
}
const site: SiteValues = { windows: [window], tokens, width, values: new Random('values').normals(tokens * width) }
const unit = randomUnits(1, width, new Random('unit'))

test.each(['projection', 'excess'] as const)(
  'tied controls are as many times as long as a latent that says too much (%s)',
  value => {
    const source: TiedSource = { discovery: site, validation: site, count: 9, value }
    const projections = project(site, unit)
    const found = activationsAbove(projections, thresholdsAt(projections, share), value)
    const gain = (times: number) =>
      tiedGain(
        source,
        found,
        0,
        unit.map(x => times * x),
      )
    expect([gain(0), gain(0.1), gain(1)]).toEqual([1, 1, 1])
    for (const times of [3, 30, 3000]) expect(Math.abs(Math.log(gain(times) / times))).toBeLessThan(Math.log(1.25))
    // A direction along which values hold little, with what random directions say: nothing is longer than usual.
    const still: SiteValues = { ...site, values: site.values.map((x, i) => (i % width === 0 ? 0.01 * x : x)) }
    const row = Float32Array.from({ length: width }, (_, j) => (j === 0 ? 1 : 0))
    expect(tiedGain({ ...source, discovery: still }, found, 0, row)).toBe(1)
  },
)

/** What every kind of control is held to: one call a kind, with a source that has something to draw. */
import { expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import type { Control, ControlSource } from './control.ts'

/** Holds a kind to its promises on a source, whose `random` is made anew for each draw. */
export function keepsTheContract(control: Control, given: Omit<ControlSource, 'random'>): void {
  const draw = (count: number, source: Partial<ControlSource> = {}) =>
    control.draw({ ...given, ...source, random: new Random('contract') }, count)
  const rowsOf = ({ directions }: { directions: Float32Array }) =>
    Array.from({ length: directions.length / given.width }, (_, i) =>
      directions.subarray(i * given.width, (i + 1) * given.width),
    )

  test(`${control.name}: unit directions, at most as many as asked for, each of its own`, () => {
    for (const count of [0, 1, 5, 500]) {
      const drawn = draw(count)
      expect(drawn.ids.length).toBeLessThanOrEqual(count)
      expect(drawn.directions.length).toBe(drawn.ids.length * given.width)
      expect(new Set(drawn.ids).size).toBe(drawn.ids.length)
      for (const row of rowsOf(drawn)) expect(Math.hypot(...row)).toBeCloseTo(1, 5)
    }
    expect(draw(5).ids.length).toBe(5)
  })

  test(`${control.name}: the same from the same seed, the first of more, and nothing given is changed`, () => {
    const [decoder, samples, active] = [given.decoder.slice(), given.samples.slice(), [...given.active]]
    const few = draw(5)
    expect(draw(5)).toEqual(few)
    expect(draw(9).ids.slice(0, 5)).toEqual(few.ids)
    expect(draw(9).directions.subarray(0, few.directions.length)).toEqual(few.directions)
    expect(given.decoder).toEqual(decoder)
    expect(given.samples).toEqual(samples)
    expect(given.active).toEqual(active)
  })

  test(`${control.name}: says what an effect beyond it means, in a sentence`, () => {
    expect(control.rules).toMatch(/^The effect is .+\.$/)
  })
}

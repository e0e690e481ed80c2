import { expect, test } from 'vitest'
import { shades, style } from './style.ts'

/** Relative luminance of a colour (WCAG 2.2). */
const luminance = (colour: readonly number[]) => {
  const [red, green, blue] = colour.map(part => {
    const value = part / 255
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
  }) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

const hex = (text: string) => [1, 3, 5].map(at => Number.parseInt(text.slice(at, at + 2), 16))
const whole = (text: string) => hex(text.length === 4 ? text.replace(/[^#]/g, '$&$&') : text)

test.each([
  ['light', 0],
  ['dark', 1],
])('every shade of a token leaves its text readable, %s: 4.5 to 1 and more', (_, scheme) => {
  const rules = [...style.matchAll(/:root\{([^}]*)\}/g)][scheme]![1]!
  const colourOf = (name: string) => new RegExp(`--${name}:([^;}]+)`).exec(rules)![1]!
  const [ink, card] = [whole(colourOf('ink')), whole(colourOf('card'))]
  const mark = colourOf('mark').split(' ').map(Number)
  const steps = [...style.matchAll(/\.s\d+\{--a:([\d.]+)\}/g)].map(([, alpha]) => Number(alpha))
  expect(steps).toHaveLength(shades)
  for (const alpha of steps) {
    const ground = mark.map((part, i) => alpha * part + (1 - alpha) * card[i]!)
    const [low, high] = [luminance(ink), luminance(ground)].sort((a, b) => a - b) as [number, number]
    expect((high + 0.05) / (low + 0.05), String(alpha)).toBeGreaterThanOrEqual(4.5)
  }
})

/** Axes: round tick values, positions on a linear or logarithmic scale, short number texts. */

/** Maps values to places in pixels. */
export interface Scale {
  readonly ticks: readonly number[]
  place(value: number): number
}

/** About `count` round values (1, 2 or 5 times a power of ten) that cover [low, high]. */
export function roundTicks(low: number, high: number, count = 5): number[] {
  if (!(high > low)) return [low]
  const rough = (high - low) / count
  // Below the normal numbers there is no round step.
  if (rough < Number.MIN_VALUE / Number.EPSILON) return [low]
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = power * ([1, 2, 5, 10].find(factor => factor * power >= rough) ?? 10)
  const first = Math.ceil(low / step - 1e-9)
  const last = Math.floor(high / step + 1e-9)
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)))
}

/** A linear scale from [low, high] to [from, to] pixels. A single value is given some room. */
export function linearScale(low: number, high: number, from: number, to: number, count = 5): Scale {
  const room = high > low ? 0 : Math.abs(low) / 2 || 1
  const [start, end] = [low - room, high + room]
  return {
    ticks: roundTicks(start, end, count),
    place: value => from + ((value - start) / (end - start)) * (to - from),
  }
}

/** A logarithmic scale; the ends are positive. Ticks are powers of ten, or round values within one decade. */
export function logScale(low: number, high: number, from: number, to: number): Scale {
  const [start, end] = high > low ? [Math.log10(low), Math.log10(high)] : [Math.log10(low) - 0.5, Math.log10(low) + 0.5]
  const step = Math.max(1, Math.ceil((end - start) / 6))
  const powers: number[] = []
  for (let power = Math.ceil(start - 1e-9); power <= end + 1e-9; power += step)
    powers.push(Number((10 ** power).toPrecision(6)))
  return {
    ticks: powers.length >= 2 ? powers : roundTicks(10 ** start, 10 ** end, 4).filter(tick => tick > 0),
    place: value => from + ((Math.log10(value) - start) / (end - start)) * (to - from),
  }
}

/** A number in few characters: 0.0722, 1,234, 3.9M, 2e-7. */
export function short(value: number | null | undefined, digits = 3): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–'
  if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞'
  const size = Math.abs(value)
  const sign = value < 0 ? '−' : ''
  if (size === 0) return '0'
  if (size >= 1e9) return `${sign}${trimmed(size / 1e9, digits)}G`
  if (size >= 1e6) return `${sign}${trimmed(size / 1e6, digits)}M`
  if (size >= 10_000) return `${sign}${trimmed(size / 1e3, digits)}k`
  if (size >= 1000) return `${sign}${Math.round(size).toLocaleString('en-US')}`
  if (size < 1e-4) return `${sign}${Number(size.toPrecision(2)).toExponential()}`
  return `${sign}${trimmed(size, digits)}`
}

const trimmed = (value: number, digits: number) => String(Number(value.toPrecision(digits)))

/** Text for people: numbers, durations, columns and wrapped lines. */
import { relative } from 'node:path'

/** A count short enough for a bar: 950, 12.3k, 4.1M. */
export function shortCount(value: number): string {
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const)
    if (Math.abs(value) >= size) return `${(value / size).toFixed(Math.abs(value) >= size * 100 ? 0 : 1)}${unit}`
  return Number.isInteger(value) || value >= 100 ? value.toFixed(0) : value.toFixed(1)
}

/** How many there are of something: `1 claim is`, `2 claims are`. */
export function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`
}

/** A duration as m:ss or h:mm:ss. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds))
  const two = (n: number) => String(n).padStart(2, '0')
  const minutes = Math.floor(whole / 60)
  return minutes < 60
    ? `${minutes}:${two(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`
}

/** A path as one would type it here: relative where that is shorter. */
export function shortPath(path: string): string {
  const short = relative(process.cwd(), path)
  return short !== '' && short.length < path.length ? short : path
}

/** A figure of a summary: counts with thousands separated, other numbers with four digits that count. */
export function figure(value: unknown): string {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) return value.toLocaleString('en-US')
    return Math.abs(value) >= 1e-3 && Math.abs(value) < 1e6
      ? String(Number(value.toPrecision(4)))
      : value.toExponential(3)
  }
  if (value === null || value === undefined) return '–'
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** `learningRate` → `learning rate`; names with other characters are left as they are. */
export function words(name: string): string {
  return /^[a-zA-Z0-9]+$/.test(name) ? name.replace(/([a-z])([A-Z])/g, (_, a, b) => `${a} ${b.toLowerCase()}`) : name
}

/** Breaks text into lines of at most `width` characters, at spaces where there are any. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const paragraph of text.split('\n')) {
    let line = ''
    for (const word of paragraph.split(' ')) {
      if (line !== '' && line.length + 1 + word.length > width) {
        lines.push(line)
        line = word
      } else line = line === '' ? word : `${line} ${word}`
    }
    lines.push(line)
  }
  return lines
}

/**
 * Text whose lines are broken at spaces where they are longer than `width`. What follows is set in to the second column of the line where
 * that begins in its first half, else by two; a word that is longer than a line stays whole.
 */
export function fitted(text: string, width: number): string {
  return text
    .split('\n')
    .flatMap(line => {
      if (line.length <= width) return line
      const column = /^ *\S+(?: \S+)* {2,}/.exec(line)?.[0].length ?? width
      const leading = line.length - line.trimStart().length
      const indent = ' '.repeat(column <= width / 2 ? column : leading + 2)
      const lines: string[] = []
      let rest = line
      while (rest.length > width) {
        const start = lines.length === 0 ? Math.max(leading, column <= width / 2 ? column : 0) : indent.length
        const before = rest.lastIndexOf(' ', width)
        const at = before > start ? before : rest.indexOf(' ', Math.max(width, start))
        if (at < 0) break
        lines.push(rest.slice(0, at).trimEnd())
        rest = indent + rest.slice(at).trimStart()
      }
      return [...lines, rest]
    })
    .join('\n')
}

/** Rows of cells as aligned columns, two spaces apart; columns of `right` are aligned to the right. */
export function columns(rows: readonly (readonly string[])[], right: readonly number[] = []): string[] {
  const widths: number[] = []
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  return rows.map(row =>
    row
      .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd(),
  )
}

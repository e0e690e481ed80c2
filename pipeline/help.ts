/** Help texts that read well on 60 columns and on 100: descriptions stand beside their flags where there is room. */

import { wrap } from '../core/text.ts'
import type { Flag } from './flags.ts'

/** A titled list: what is written, and what it does. */
export interface HelpSection {
  readonly title: string
  readonly rows: readonly (readonly [term: string, text: string])[]
}

export interface HelpPage {
  readonly usage: string
  readonly about: string
  readonly examples: readonly string[]
  readonly sections: readonly HelpSection[]
  readonly footer?: string
}

/** Terms longer than this get a line of their own instead of pushing every description to the right. */
const longestTerm = 34

/** The page as text of at most `columns` columns. */
export function helpText(page: HelpPage, columns: number): string {
  const width = Math.max(40, Math.min(columns, 110))
  const lines = [...wrap(`Usage: ${page.usage}`, width), '', ...wrap(page.about, width)]
  if (page.examples.length) {
    lines.push('', page.examples.length > 1 ? 'Examples' : 'Example')
    for (const example of page.examples)
      lines.push(...wrap(example, width - 6).map((line, i) => (i === 0 ? `  ${line}` : `      ${line}`)))
  }
  for (const section of page.sections) if (section.rows.length) lines.push('', ...sectionLines(section, width))
  if (page.footer) lines.push('', ...wrap(page.footer, width))
  return `${lines.join('\n')}\n`
}

function sectionLines({ title, rows }: HelpSection, width: number): string[] {
  const lines = [title]
  const term = Math.min(longestTerm, Math.max(...rows.map(([name]) => name.length)))
  const beside = width - term - 4 >= 36
  for (const [name, text] of rows) {
    const indent = beside ? term + 4 : 6
    const [first = '', ...rest] = wrap(text, width - indent)
    if (beside && name.length <= term) lines.push(`  ${name.padEnd(term)}  ${first}`.trimEnd())
    else lines.push(...termLines(name, width), ...(first ? [' '.repeat(indent) + first] : []))
    for (const line of rest) lines.push(' '.repeat(indent) + line)
  }
  return lines
}

/** A term on lines of its own: a long list of choices, `--flag <a|b|…>`, is broken behind its strokes. */
function termLines(name: string, width: number): string[] {
  const [first = '', ...rest] = name.split(/(?<=\|)/)
  const lines = [`  ${first}`]
  for (const choice of rest)
    if (lines.at(-1)!.length + choice.length <= width) lines.push(lines.pop()! + choice)
    else lines.push(`      ${choice}`)
  return lines
}

/** A flag as a row of the page. */
export function flagRow(flag: Flag): readonly [string, string] {
  // Where a key's absence must stay visible, the schema has no default and its description ends in `[value]`.
  const [, text = flag.description, quoted] = /^(.*) \[(.*)\]$/s.exec(flag.description) ?? []
  const preset = presetText(flag.preset) || (quoted ?? '').replaceAll('"', '')
  const end = flag.required ? 'required' : preset && `default: ${preset}`
  return [`--${flag.key} <${flag.type}>`, [text, end && `(${end})`].filter(Boolean).join(' ')]
}

function presetText(value: unknown): string {
  if (value === undefined) return ''
  if (Array.isArray(value)) return value.length ? value.join(',') : 'none'
  if (typeof value === 'object') return JSON.stringify(value)
  return value === '' ? 'empty' : String(value)
}

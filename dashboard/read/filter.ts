/**
 * Conditions on the rows of a table: `density>=0.001 and (verdict=pass or not label~"red apple")`.
 *
 *   or      = and { "or" and }          and = not { "and" not }          not = "not" not | "(" or ")" | comparison
 *   comparison = column operator value  operators = != < <= > >= ~ (contains, without regard to case)
 *
 * A value ends at a space or parenthesis unless it is in double quotes. `null` is what is missing: it equals nothing else, and
 * is neither small nor large.
 */
import { UserError } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'
import { quoted } from '../../core/quote.ts'

/** A column as conditions see it: numbers with NaN where one is missing, or texts with null. */
export type FilterColumn =
  | { readonly kind: 'number'; readonly values: Float64Array }
  | { readonly kind: 'text'; text(row: number): string | null }

/** What conditions are about. */
export interface Filterable {
  readonly names: readonly string[]
  column(name: string): FilterColumn
}

export type Test = (row: number) => boolean

/** The column of this name; a `UserError` names the nearest where there is none. */
export function columnOf(table: Filterable, name: string): FilterColumn {
  if (table.names.includes(name)) return table.column(name)
  throw new UserError(`There is no column ${quoted(name)}.`, {
    fix: `Did you mean ${nearest(name, table.names, 3).join(', ')}?`,
  })
}

interface Word {
  readonly text: string
  readonly quoted: boolean
  readonly at: number
}

const longest = 4000
const deepest = 50

/** The test that a condition makes. A `UserError` for one that cannot be read, or a column that is not there. */
export function filterOf(condition: string, table: Filterable): Test {
  if (condition.length > longest)
    throw new UserError(`The condition has ${condition.length} characters; at most ${longest} are read.`)
  const words = wordsOf(condition)
  let place = 0
  let depth = 0
  const wrong = (what: string) =>
    new UserError(`${quoted(condition)} is no condition: ${what}.`, {
      fix: 'Write a column, one of = != < > <= >= ~ (contains), and a value, in quotes where it has spaces: density>=0.001 and label~"red apple".',
    })
  const isNext = (text: string) => words[place]?.quoted === false && words[place]!.text.toLowerCase() === text
  const either = (): Test => {
    const parts = [both()]
    while (isNext('or')) {
      place++
      parts.push(both())
    }
    return parts.length === 1 ? parts[0]! : row => parts.some(test => test(row))
  }
  const both = (): Test => {
    const parts = [one()]
    while (isNext('and')) {
      place++
      parts.push(one())
    }
    return parts.length === 1 ? parts[0]! : row => parts.every(test => test(row))
  }
  const one = (): Test => {
    if (++depth > deepest) throw wrong('it is nested too deeply')
    const word = words[place++]
    if (!word) throw wrong('something is missing at its end')
    let test: Test
    if (!word.quoted && word.text.toLowerCase() === 'not') {
      const inner = one()
      test = row => !inner(row)
    } else if (!word.quoted && word.text === '(') {
      test = either()
      if (!isNext(')')) throw wrong('a parenthesis is not closed')
      place++
    } else test = comparison(word)
    depth--
    return test
  }
  const comparison = (name: Word): Test => {
    const operator = words[place++]
    if (!operator || operator.quoted || !operators.has(operator.text))
      throw wrong(`no comparison follows ${quoted(name.text)}`)
    const value = words[place++]
    if (!value || (!value.quoted && (value.text === ')' || value.text === '(')))
      throw wrong(`no value follows ${quoted(name.text + operator.text)}`)
    return compare(columnOf(table, name.text), operator.text, value, condition)
  }
  const test = either()
  if (place < words.length) throw wrong(`${quoted(words[place]!.text)} is one word too many`)
  return test
}

/** All words of a condition, the names of its columns among them. */
export const wordsIn = (condition: string): string[] => wordsOf(condition).map(({ text }) => text)

const operators = new Set(['=', '!=', '<', '>', '<=', '>=', '~'])

/** Words, operators and parentheses. Behind an operator a word goes on to the next space or parenthesis. */
function wordsOf(text: string): Word[] {
  const words: Word[] = []
  const pattern = /\s*(?:"((?:[^"\\]|\\.)*)"|(<=|>=|!=|=|<|>|~)|([()])|([^\s()=<>!~"]+))/y
  const value = /\s*(?:"((?:[^"\\]|\\.)*)"|([^\s()"][^\s()]*))/y
  for (let at = 0; at < text.length; ) {
    const last = words.at(-1)
    const rule = last && !last.quoted && operators.has(last.text) ? value : pattern
    rule.lastIndex = at
    const found = rule.exec(text)
    if (!found) {
      if (text.slice(at).trim() === '') break
      throw new UserError(`${quoted(text)} cannot be read from ${quoted(text.slice(at).trim().slice(0, 20))} on.`, {
        fix: 'Close quotes, and put values with spaces in them.',
      })
    }
    const isQuoted = found[1] !== undefined
    words.push({
      text: isQuoted ? found[1]!.replace(/\\(.)/g, '$1') : (found.slice(2).find(part => part !== undefined) as string),
      quoted: isQuoted,
      at,
    })
    at = rule.lastIndex
  }
  return words
}

function compare(column: FilterColumn, operator: string, { text, quoted: isQuoted }: Word, condition: string): Test {
  const missing = text === 'null' && !isQuoted
  if (column.kind === 'text') {
    if (operator === '~') {
      const wanted = text.toLowerCase()
      return row => column.text(row)?.toLowerCase().includes(wanted) ?? false
    }
    const wanted = missing ? null : text
    if (operator === '=') return row => column.text(row) === wanted
    if (operator === '!=') return row => column.text(row) !== wanted
    throw new UserError(`${quoted(operator)} in ${quoted(condition)} compares numbers, and the column holds texts.`, {
      fix: 'Use =, != or ~.',
    })
  }
  const { values } = column
  if (missing && (operator === '=' || operator === '!='))
    return operator === '=' ? row => Number.isNaN(values[row]) : row => !Number.isNaN(values[row])
  const bound = Number(text)
  if (text.trim() === '' || !Number.isFinite(bound) || operator === '~')
    throw new UserError(
      operator === '~'
        ? `~ in ${quoted(condition)} looks into texts, and the column holds numbers.`
        : `${quoted(text)} in ${quoted(condition)} is no number.`,
      { fix: 'Compare the column with a number by = != < > <= or >=.' },
    )
  switch (operator) {
    case '=':
      return row => values[row] === bound
    case '!=':
      return row => values[row] !== bound
    case '<':
      return row => values[row]! < bound
    case '<=':
      return row => values[row]! <= bound
    case '>':
      return row => values[row]! > bound
    default:
      return row => values[row]! >= bound
  }
}

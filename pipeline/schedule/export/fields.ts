/** The fields of a cron expression as every system reads them, which know less than `pipeline schedule start` does. */
import { UserError } from '../../../core/errors.ts'

export interface CronFields {
  readonly minute: string
  readonly hour: string
  readonly day: string
  readonly month: string
  readonly weekday: string
}

const dayNames = 'SUN MON TUE WED THU FRI SAT'.split(' ')

/** The five fields, with days of the week from 0 to 6. A `UserError` for the last days, working days and so on that `system` cannot say. */
export function fieldsOf(cron: string, system: string): CronFields {
  const letters = cron.replace(/[A-Z]{3}/gi, '')
  if (/[LW#+]/i.test(letters))
    throw new UserError(`The cron expression ${cron} has L, W, # or +, which ${system} does not know.`, {
      fix: 'Use `pipeline schedule start`, which does, or write the days out.',
    })
  const fields = cron
    .trim()
    .split(/\s+/)
    .map(field => (field === '?' ? '*' : field))
  const [minute, hour, day, month, weekday] = fields as [string, string, string, string, string]
  return { minute, hour, day, month, weekday: /7|-SUN/i.test(weekday) ? weekdaysOf(weekday).join(',') : weekday }
}

/** The expression of these fields. */
export function expressionOf({ minute, hour, day, month, weekday }: CronFields): string {
  return [minute, hour, day, month, weekday].join(' ')
}

/** Days of the week, Sunday as 0. */
export function weekdaysOf(field: string): number[] {
  return [...new Set(numbersOf(field, 0, 7, dayNames, 0).map(number => number % 7))]
}

/** The numbers that a field of cron means; a last one of 7 marks days of the week, of which Sunday is the first and the last. */
export function numbersOf(
  field: string,
  least: number,
  most: number,
  names: readonly string[] = [],
  first = 0,
): number[] {
  const isWeek = most === 7
  const numbers = new Set<number>()
  for (const part of field.split(',')) {
    const [range = '', step = '1'] = part.split('/')
    const [from, to] = range.split('-').map((word, place) => {
      const name = names.indexOf(word.toUpperCase())
      // From Thursday to Sunday is to the last day.
      if (isWeek && name === 0 && place === 1) return 7
      return name >= 0 ? name + first : Number(word)
    })
    const any = range === '*'
    const begin = any ? least : from!
    const end = any ? (isWeek ? 6 : most) : (to ?? (part.includes('/') ? most : begin))
    for (let number = begin; number <= end; number += Number(step)) numbers.add(number)
  }
  return [...numbers].sort((a, b) => a - b)
}

/** A service and a timer of systemd. `Persistent` does what passed while the machine was off, once. */
import { UserError } from '../../../core/errors.ts'
import type { ExportRequest } from './request.ts'

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']
const months = 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split(' ')
const dayNames = 'SUN MON TUE WED THU FRI SAT'.split(' ')

/** A cron expression as systemd's OnCalendar. A `UserError` for what systemd cannot say. */
export function calendarOf(cron: string, timezone: string): string {
  const [minute, hour, day, month, weekday] = cron.trim().split(/\s+/) as [string, string, string, string, string]
  const isAny = (field: string) => field === '*' || field === '?'
  if (!isAny(day) && !isAny(weekday))
    throw new UserError(
      `The cron expression ${cron} means days of the month or days of the week, which systemd cannot say in one line.`,
      {
        fix: 'Give one of them, or use --cron.',
      },
    )
  if (
    /[LW#+?]/i.test([minute, hour, day, month].join(' ').replace(/[A-Z]{3}/gi, '')) ||
    /[L#+]/i.test(weekday.replace(/[A-Z]{3}/gi, ''))
  )
    throw new UserError(`The cron expression ${cron} has L, W or #, which systemd cannot say.`, { fix: 'Use --cron.' })
  const date = `*-${listOf(month, 1, 12, months, 1)}-${listOf(day, 1, 31)}`
  const time = `${listOf(hour, 0, 23)}:${listOf(minute, 0, 59)}:00`
  const week = isAny(weekday) ? '' : `${weekdaysOf(weekday)} `
  return `${week}${date} ${time} ${timezone}`
}

/** A field as systemd writes it: every number is written out, except where it is any. */
function listOf(field: string, least: number, most: number, names: readonly string[] = [], first = 0): string {
  if (field === '*' || field === '?') return '*'
  return numbersOf(field, least, most, names, first)
    .map(number => String(number).padStart(2, '0'))
    .join(',')
}

function weekdaysOf(field: string): string {
  return [...new Set(numbersOf(field, 0, 7, dayNames, 0).map(number => number % 7))]
    .map(number => days[number])
    .join(',')
}

/** The numbers that a field of cron means. */
export function numbersOf(
  field: string,
  least: number,
  most: number,
  names: readonly string[] = [],
  first = 0,
): number[] {
  const numbers = new Set<number>()
  for (const part of field.split(',')) {
    const [range = '', step = '1'] = part.split('/')
    const [from, to] = range.split('-').map(word => {
      const name = names.indexOf(word.toUpperCase())
      return name >= 0 ? name + first : Number(word)
    })
    const any = range === '*'
    const begin = any ? least : from!
    const end = any ? (most === 7 ? 6 : most) : (to ?? (part.includes('/') ? most : begin))
    for (let number = begin; number <= end; number += Number(step)) numbers.add(number)
  }
  return [...numbers].sort((a, b) => a - b)
}

export function systemd({ entry, file, runs, command }: ExportRequest): string {
  const { cron, timezone, misfire } = file.schedule
  const word = (text: string) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('%', '%%')}"`
  const name = `pipeline-${entry.name}`
  return `# /etc/systemd/system/${name}.service
[Unit]
Description=pipeline schedule ${entry.name}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
WorkingDirectory=${entry.folder.replaceAll('%', '%%')}
ExecStart=/usr/bin/env ${command} schedule run-now ${word(entry.name)} --runs-dir ${word(runs)}
# 2: a gate failed, 3: inconclusive. Both are results; the journal of the schedule has them.
SuccessExitStatus=2 3
TimeoutStartSec=infinity
TimeoutStopSec=600
KillMode=control-group

# /etc/systemd/system/${name}.timer
[Unit]
Description=pipeline schedule ${entry.name}: ${cron} ${timezone}

[Timer]
OnCalendar=${calendarOf(cron, timezone)}
Persistent=${misfire === 'once'}
AccuracySec=1s

[Install]
WantedBy=timers.target
`
}

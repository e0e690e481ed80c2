/** A service and a timer of systemd. `Persistent` does what passed while the machine was off, once. */
import { UserError } from '../../../core/errors.ts'
import { fieldsOf, numbersOf, weekdaysOf } from './fields.ts'
import type { ExportRequest } from './request.ts'

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const months = 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split(' ')

/** A cron expression as systemd's OnCalendar. A `UserError` for what systemd cannot say. */
export function calendarOf(cron: string, timezone: string): string {
  const { minute, hour, day, month, weekday } = fieldsOf(cron, 'systemd')
  if (day !== '*' && weekday !== '*')
    throw new UserError(
      `The cron expression ${cron} means days of the month or days of the week, which systemd cannot say in one line.`,
      {
        fix: 'Give one of them, or use --cron.',
      },
    )
  const date = `*-${listOf(month, 1, 12, months, 1)}-${listOf(day, 1, 31)}`
  const time = `${listOf(hour, 0, 23)}:${listOf(minute, 0, 59)}:00`
  const chosen = weekdaysOf(weekday).map(number => days[number])
  const week = weekday === '*' ? '' : `${chosen.join(',')} `
  return `${week}${date} ${time} ${timezone}`
}

/** A field as systemd writes it: every number is written out, except where it is any. */
function listOf(field: string, least: number, most: number, names: readonly string[] = [], first = 0): string {
  if (field === '*') return '*'
  return numbersOf(field, least, most, names, first)
    .map(number => String(number).padStart(2, '0'))
    .join(',')
}

export function systemd({ entry, file, runs, command }: ExportRequest): string {
  const { cron, timezone, misfire, onFailure } = file.schedule
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
${environment(name, onFailure.webhook)}ExecStart=/usr/bin/env ${command} schedule run-now ${word(entry.name)} --runs-dir ${word(runs)}
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

/** Where the service finds the variable that a notice needs, of which units, that anybody may read, say the name alone. */
function environment(name: string, webhook: string | undefined): string {
  if (webhook === undefined) return ''
  return `# A file for root alone (mode 600), with the line ${webhook}=https://…
EnvironmentFile=-/etc/${name}.env
`
}

/** Progress for people: a bar with rate and time left on a terminal, a plain line now and then elsewhere. */
import type { Progress } from '../core/progress.ts'
import { duration, fitted, shortCount } from '../core/text.ts'
import { visible, visibleLines } from '../core/visible.ts'

/** Where progress is written; `process.stderr` is one. */
export interface Screen {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

export interface TerminalOptions {
  readonly screen: Screen
  readonly color: boolean
  /** Whether the screen can take back what it showed; where it cannot, lines are printed as in a file. Default: yes. */
  readonly redraws?: boolean
  /** Seconds from any fixed moment. */
  readonly seconds: () => number
}

/** A bar is redrawn at most this often, and a plain line printed at most that often. */
const barSeconds = 0.1
const lineSeconds = 10
/** The rate is taken over the newest part of the work, so that it follows changes. */
const rateSeconds = 15

interface Task {
  name: string
  total: number | undefined
  unit: string
  begun: number
  shown: number
  done: number
  note: string
  samples: { at: number; done: number }[]
}

/** Text that fits a terminal; elsewhere (files, other programs) its lines stay whole. */
export function onScreen(text: string, { isTTY, columns }: Pick<Screen, 'isTTY' | 'columns'>): string {
  return isTTY && columns ? fitted(text, Math.max(40, columns)) : text
}

/** Reports to a screen. */
export function terminalProgress({ screen, color, redraws = true, seconds }: TerminalOptions): Progress {
  const bar = screen.isTTY === true && redraws
  let task: Task | undefined

  const clear = () => {
    if (bar && task && task.shown > 0) screen.write('\r\x1b[K')
  }
  const show = () => {
    if (!task) return
    const now = seconds()
    if (bar) {
      if (task.shown > 0 && now - task.shown < barSeconds) return
      task.shown = now
      const text = barText(task, now, (screen.columns || 80) - 1)
      screen.write(`\r${color ? text.replace(/━+/, filled => `\x1b[32m${filled}\x1b[39m`) : text}\x1b[K`)
    } else if (now - Math.max(task.begun, task.shown) >= lineSeconds) {
      task.shown = now
      screen.write(`${[task.name, ...facts(task, now)].join('  ')}\n`)
    }
  }

  return {
    start(name, total, unit, ago = 0) {
      clear()
      const now = seconds()
      task = { name: visible(name), total, unit, begun: now - ago, shown: 0, done: 0, note: '', samples: [] }
      if (bar) show()
    },
    update(done, note) {
      if (!task) return
      const now = seconds()
      task.done = done
      if (note !== undefined) task.note = visible(note)
      task.samples.push({ at: now, done })
      while (task.samples.length > 2 && now - task.samples[0]!.at > rateSeconds) task.samples.shift()
      show()
    },
    finish(summary) {
      if (!task) return
      clear()
      const took = seconds() - task.begun
      const parts = [
        task.name,
        (summary && visible(summary)) ??
          `${shortCount(task.total ?? task.done)} ${unitOf(task.total ?? task.done, task.unit)}`,
        duration(took),
      ]
      screen.write(`${onScreen(parts.join('  '), screen)}\n`)
      task = undefined
    },
    note(line) {
      clear()
      screen.write(`${onScreen(visibleLines(line), screen)}\n`)
      if (bar && task) {
        task.shown = 0
        show()
      }
    },
  }
}

/** The unit of a count: `shards`, and `shard` of one. */
const unitOf = (count: number, unit: string) => (count === 1 ? unit.replace(/s$/, '') : unit)

/** Share, amount, rate, time left and note: the most needed first. */
function facts(task: Task, now: number): string[] {
  const { done, total, unit, note } = task
  const first = task.samples[0]
  const span = first ? now - first.at : 0
  const rate = first && span > 0.5 ? (done - first.done) / span : 0
  const parts: string[] = []
  if (total) parts.push(`${Math.floor((100 * Math.min(done, total)) / total)}%`)
  if (total && rate > 0 && done < total) parts.push(`${duration((total - done) / rate)} left`)
  parts.push(`${shortCount(done)}${total ? `/${shortCount(total)}` : ''} ${unitOf(total || done, unit)}`)
  if (rate > 0) parts.push(`${shortCount(rate)}/s`)
  if (note) parts.push(note)
  return parts
}

/** One line of at most `width` characters: what does not fit is left out, last first; the bar takes what is left. */
export function barText(task: Omit<Task, 'begun' | 'shown'>, now: number, width: number): string {
  const parts = facts(task as Task, now)
  const name = task.name.length > width ? `${task.name.slice(0, Math.max(1, width - 1))}…` : task.name
  const text = () => [name, ...parts].join('  ')
  while (parts.length > 0 && text().length > width) parts.pop()
  const room = Math.min(30, width - text().length - 2)
  if (!task.total || room < 6) return text()
  const filled = Math.round((room * Math.min(task.done, task.total)) / task.total)
  return [name, '━'.repeat(filled) + '─'.repeat(room - filled), ...parts].join('  ')
}

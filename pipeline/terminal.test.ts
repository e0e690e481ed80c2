import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { barText, terminalProgress } from './terminal.ts'

/** A screen that keeps what is written, and a clock that is set by hand. */
function setup(options: { isTTY?: boolean; columns?: number; color?: boolean; redraws?: boolean } = {}) {
  const written: string[] = []
  const clock = { now: 0 }
  const progress = terminalProgress({
    screen: { isTTY: options.isTTY ?? false, columns: options.columns ?? 80, write: text => written.push(text) },
    color: options.color ?? false,
    redraws: options.redraws ?? true,
    seconds: () => clock.now,
  })
  return { written, clock, progress }
}

describe('on a terminal', () => {
  test('a bar shows share, time left, amount, rate and note', () => {
    const { written, clock, progress } = setup({ isTTY: true })
    progress.start('Capturing', 1000, 'tokens')
    clock.now = 1
    progress.update(0)
    clock.now = 11
    progress.update(500, 'loss 1.2')
    expect(written.at(-1)).toMatch(/^\rCapturing {2}━+─+ {2}50% {2}0:10 left {2}500\/1.0k tokens {2}50\/s {2}loss 1.2/)
  })

  test('it is not redrawn more than ten times a second', () => {
    const { written, clock, progress } = setup({ isTTY: true })
    clock.now = 1
    progress.start('Training', 100, 'steps')
    for (let i = 0; i < 100; i++) progress.update(i)
    expect(written).toHaveLength(1)
  })

  test('a note goes above the bar, which comes back', () => {
    const { written, clock, progress } = setup({ isTTY: true })
    clock.now = 1
    progress.start('Training', 100, 'steps')
    progress.note('hello')
    expect(written.slice(-3)[0]).toBe('\r\x1b[K')
    expect(written.slice(-2)[0]).toBe('hello\n')
    expect(written.at(-1)).toContain('Training')
  })

  test('notes and closing lines are broken where they are wider, and stay whole elsewhere', () => {
    const line = 'a note that is rather longer than forty columns'
    for (const [isTTY, told] of [
      [true, 'a note that is rather longer than forty\n  columns\n'],
      [false, `${line}\n`],
    ] as const) {
      const { written, progress } = setup({ isTTY, columns: 40 })
      progress.note(line)
      progress.start('Training', 1, 'steps')
      progress.finish(line)
      expect(written[0]).toBe(told)
      expect(
        written
          .at(-1)!
          .split('\n')
          .every(part => part.length <= 40),
      ).toBe(isTTY)
    }
  })

  test('colour only where asked for', () => {
    for (const color of [true, false]) {
      const { written, clock, progress } = setup({ isTTY: true, color })
      clock.now = 1
      progress.start('Training', 100, 'steps')
      clock.now = 2
      progress.update(50)
      expect(written.at(-1)!.includes('\x1b[32m')).toBe(color)
    }
  })
})

describe('elsewhere', () => {
  test('a line every ten seconds, without control characters', () => {
    const { written, clock, progress } = setup()
    progress.start('Capturing', 1000, 'tokens')
    for (let second = 0; second < 30; second++) {
      clock.now = second
      progress.update(second * 10)
    }
    progress.finish('300 tokens kept')
    expect(written).toEqual([
      'Capturing  10%  1:30 left  100/1.0k tokens  10/s\n',
      'Capturing  20%  1:20 left  200/1.0k tokens  10/s\n',
      'Capturing  300 tokens kept  0:29\n',
    ])
  })

  test('quick work is one line', () => {
    const { written, progress } = setup()
    progress.start('Tokenising', 12, 'documents')
    progress.update(12)
    progress.finish()
    progress.start('Auditing', 1, 'shards')
    progress.finish()
    expect(written).toEqual(['Tokenising  12 documents  0:00\n', 'Auditing  1 shard  0:00\n'])
  })

  test('work that began before it was told of took as long as it did', () => {
    const { written, clock, progress } = setup()
    clock.now = 10
    progress.start('Counting', 5, 'windows', 2)
    clock.now = 13
    progress.finish()
    expect(written).toEqual(['Counting  5 windows  0:05\n'])
  })
})

test('a terminal that cannot take back what it showed has lines without control characters, broken where they are wider', () => {
  const { written, clock, progress } = setup({ isTTY: true, columns: 40, redraws: false })
  progress.start('Capturing', 1000, 'tokens')
  clock.now = 12
  progress.update(120)
  progress.note('a note of more words than go into forty columns of it')
  progress.finish('300 tokens kept')
  for (const mark of ['\r', '\x1b']) expect(written.join('')).not.toContain(mark)
  expect(written).toHaveLength(3)
  expect(written[1]!.split('\n').length).toBeGreaterThan(2)
})

test('a bar never is wider than the terminal', () => {
  const task = fc.record({
    name: fc.string({ maxLength: 40 }),
    total: fc.option(fc.nat(1e9), { nil: undefined }),
    done: fc.nat(1e9),
    unit: fc.constantFrom('tokens', 'windows'),
    note: fc.string({ maxLength: 60 }),
    samples: fc.boolean().map(begun => (begun ? [{ at: 0, done: 0 }] : [])),
  })
  fc.assert(
    fc.property(task, fc.integer({ min: 10, max: 200 }), (task, width) => barText(task, 7, width).length <= width),
  )
})

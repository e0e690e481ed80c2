/** When schedules are due, what a time leaves in the journal, and which runs may go. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { InterruptedError, UserError } from '../../core/errors.ts'
import type { Gate } from '../../core/gate.ts'
import { RunStore } from '../../runs/store.ts'
import type { ChildOutcome } from '../stages/child.ts'
import { lastDue, nextDue, ScheduleConfig } from '../stages/schedule.ts'
import { session as base, from, made } from '../stages/store.fixture.ts'
import { Book, type Entry, emptyLine, type Line } from './book.ts'
import { notify } from './notify.ts'
import { removable } from './retention.ts'
import { attend, runScheduler, todoOf } from './scheduler.ts'
import { type Desk, doNow, doTick, type RunFile, type RunOutcome, readScheduled } from './tick.ts'

let folder: string
let store: RunStore
let now = new Date('2026-03-01T12:00:00Z')
const session = { ...base, now: () => now }
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-schedule-'))
  store = new RunStore(join(folder, 'runs'))
  now = new Date('2026-03-01T12:00:00Z')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const schedule = (own: object = {}) => ScheduleConfig.parse({ cron: '0 3 * * *', ...own })
const at = (time: string) => new Date(time)

describe('when a schedule is due', () => {
  test('is the time of its zone, also where clocks change', () => {
    const berlin = schedule({ cron: '30 2 * * *', timezone: 'Europe/Berlin' })
    expect(nextDue(berlin, at('2026-03-27T12:00:00Z'))).toEqual(at('2026-03-28T01:30:00Z'))
    // On the 29th there is no half past two: clocks go from two to three.
    const next = nextDue(berlin, at('2026-03-28T12:00:00Z'))!
    expect(next >= at('2026-03-29T01:00:00Z') && next <= at('2026-03-30T00:30:00Z')).toBe(true)
    expect(nextDue(berlin, at('2026-03-29T12:00:00Z'))).toEqual(at('2026-03-30T00:30:00Z'))
    expect(nextDue(schedule(), at('2026-03-01T12:00:00Z'))).toEqual(at('2026-03-02T03:00:00Z'))
  })

  test('of many times that passed the last one counts, and the others are counted', () => {
    expect(lastDue(schedule(), at('2026-03-01T03:00:00Z'), at('2026-03-04T12:00:00Z'))).toEqual({
      due: at('2026-03-04T03:00:00Z'),
      missed: 2,
    })
    expect(lastDue(schedule(), at('2026-03-01T03:00:00Z'), at('2026-03-02T02:59:59.900Z'))).toBeUndefined()
    const justNow = lastDue(schedule(), at('2026-03-01T03:00:00Z'), at('2026-03-02T03:00:00Z'))
    expect(justNow).toEqual({ due: at('2026-03-02T03:00:00Z'), missed: 0 })
    const berlin = schedule({ cron: '30 2 * * *', timezone: 'Europe/Berlin' })
    expect(lastDue(berlin, at('2026-10-24T12:00:00Z'), at('2026-10-26T12:00:00Z'))!.due).toEqual(
      at('2026-10-26T01:30:00Z'),
    )
    const minutes = schedule({ cron: '* * * * *' })
    expect(lastDue(minutes, at('2026-01-01T00:00:00Z'), at('2026-03-01T00:00:30Z'))).toEqual({
      due: at('2026-03-01T00:00:00Z'),
      missed: 100,
    })
  })

  test('what was begun comes first; what was missed is done once, or skipped', () => {
    const since = at('2026-03-01T03:00:00Z')
    const late = { since, begun: undefined, now: at('2026-03-03T12:00:00Z') }
    expect(todoOf(schedule(), late)).toEqual({ kind: 'do', due: '2026-03-03T03:00:00.000Z', missed: 1 })
    expect(todoOf(schedule({ misfire: 'skip' }), late)).toMatchObject({ kind: 'skip', missed: 1 })
    expect(todoOf(schedule({ misfire: 'skip' }), { ...late, now: at('2026-03-02T03:00:20Z') })).toMatchObject({
      kind: 'do',
    })
    const begun = { due: '2026-03-02T03:00:00.000Z', missed: 0 }
    expect(todoOf(schedule({ misfire: 'skip' }), { ...late, begun })).toEqual({ kind: 'do', ...begun })
    expect(todoOf(schedule(), { since, begun: undefined, now: at('2026-03-01T04:00:00Z') })).toEqual({
      kind: 'wait',
      until: at('2026-03-02T03:00:00Z'),
    })
  })

  test.each([
    [{ cron: '* * * *' }, 'five fields'],
    [{ cron: '61 * * * *' }, 'cron'],
    [{ cron: '0 0 31 2 *' }, 'never comes'],
    [{ timezone: 'Mars/Olympus' }, 'is no time zone'],
    [{ onFailure: { webhook: 'https://hooks.example/secret' } }, 'is the name of a variable of the environment'],
    [{ every: 5 }, 'every'],
  ])('%j is refused', (own, message) => {
    const result = ScheduleConfig.safeParse({ cron: '0 3 * * *', ...own })
    expect(result.success ? '' : JSON.stringify(result.error.issues)).toContain(message)
  })
})

/** A file whose runs are made by hand: `outcomes` are what its times come to, first ones first. */
function desk(own: object, ...outcomes: (Partial<ChildOutcome<RunOutcome>> & { throws?: Error })[]) {
  const file = join(folder, 'nightly.yaml')
  const text = { name: 'nightly', model: 'toyworld', dataset: 'toyworld', capture: { sites: ['hook_embed'] } }
  writeFileSync(
    file,
    JSON.stringify({ ...text, dataset: { path: 'toyworld' }, schedule: { cron: '0 3 * * *', ...own } }),
  )
  const calls: object[] = []
  const runFile: RunFile = async config => {
    calls.push(config)
    const { throws, ...outcome } = outcomes.shift()!
    if (throws) throw throws
    return { exitCode: 0, result: { stages: [] }, ...outcome }
  }
  const entry: Entry = {
    ...{ schema: 1, name: 'nightly', file, folder, added: '2026-03-01T12:00:00.000Z', schedule: schedule(own) },
  }
  const found: Desk = {
    ...{ book: new Book(store.directory), store, session, runFile },
    findDrift: async (before, now) =>
      now === 'odd'
        ? { drifted: 2, tested: 9, run: 'drift-odd' }
        : { drifted: 0, tested: before === 'a' ? 9 : 0, run: `drift-${now}` },
  }
  return { desk: found, entry, calls, file }
}

const stages = (
  ...runs: [stage: string, run: string, state: 'new' | 'unchanged'][]
): Partial<ChildOutcome<RunOutcome>> => ({
  result: { stages: runs.map(([stage, run, state]) => ({ stage, run, state })) },
})
const tick = { due: '2026-03-01T03:00:00.000Z', missed: 0 }

describe('a time', () => {
  test('leaves one line: its runs, whether anything changed, and the verdict', async () => {
    const {
      desk: mine,
      entry,
      calls,
    } = desk({}, stages(['capture', 'a', 'new']), stages(['capture', 'a', 'unchanged']))
    await mine.book.add(entry)
    expect(await doTick(mine, entry, tick)).toMatchObject({
      verdict: 'accepted',
      unchanged: false,
      runs: { capture: ['a'] },
    })
    const second = await doTick(mine, entry, { ...tick, due: '2026-03-02T03:00:00.000Z' })
    expect(second).toMatchObject({ verdict: 'accepted', unchanged: true, comparison: null })
    expect(await mine.book.journal('nightly')).toHaveLength(2)
    expect(calls[0]).toMatchObject({ 'runs-dir': store.directory, name: 'nightly' })
    expect(await mine.book.tick('nightly')).toBeUndefined()
  })

  test.each([
    [2, 'gate failed'],
    [3, 'inconclusive'],
    [75, 'failed'],
    [137, 'failed'],
  ] as const)('that ends with code %i is %s, and somebody is told', async (exitCode, verdict) => {
    const out = join(folder, 'told')
    const own = { onFailure: { command: ['sh', '-c', `cat > ${out}`] } }
    const { desk: mine, entry } = desk(own, { ...stages(['capture', 'a', 'new']), exitCode })
    await mine.book.add(entry)
    expect(await doTick(mine, entry, tick)).toMatchObject({ verdict, exitCode, told: ['command'] })
    expect(JSON.parse(readFileSync(out, 'utf8'))).toMatchObject({ schedule: 'nightly', verdict })
  })

  test('whose gates failed or are undecided names them, with their values and bounds, and not those that passed', async () => {
    const gate = (name: string, status: Gate['status'], value: number | null, threshold: number): Gate => ({
      ...{ name, status, value, threshold },
    })
    const gates = [
      gate('minimumCoverage', 'fail', 0.25, 0.5),
      gate('maximumPsi', 'pass', 0.1, 0.5),
      gate('minimumP', 'inconclusive', null, 0.01),
    ]
    const outcome = {
      exitCode: 2,
      result: { stages: [{ stage: 'capture', run: 'a', state: 'unchanged' as const, gates }] },
    }
    const { desk: mine, entry } = desk({}, outcome)
    await mine.book.add(entry)
    expect(await doTick(mine, entry, tick)).toMatchObject({
      verdict: 'gate failed',
      unchanged: true,
      problem:
        'gate minimum coverage of a failed (0.25, at least 0.5); gate minimum p of a is undecided (no value, at least 0.01)',
    })
  })

  test('is compared with the last one that was accepted, not with one that failed', async () => {
    const figure = async (name: string, rows: number) => {
      const opened = await store.open(
        { stage: 'capture', name, config: { rows }, inputs: [], seed: 0, engine: {}, versions: {}, machine: {} },
        session.now,
      )
      if (opened.state !== 'unchanged') await opened.run.finish({ rows, sites: 1 })
    }
    await figure('a', 100)
    await figure('bad', 1)
    await figure('c', 120)
    await figure('odd', 120)
    const { desk: mine, entry } = desk(
      { onFailure: { command: ['true'] } },
      stages(['capture', 'a', 'new']),
      { ...stages(['capture', 'bad', 'new']), exitCode: 2 },
      stages(['capture', 'c', 'new']),
      stages(['capture', 'odd', 'new']),
    )
    await mine.book.add(entry)
    expect((await doTick(mine, entry, tick)).comparison).toBeNull()
    expect((await doTick(mine, entry, tick)).comparison!.figures).toEqual([
      { stage: 'capture', figure: 'rows', before: 100, now: 1 },
    ])
    const third = await doTick(mine, entry, tick)
    expect(third.comparison!.figures).toEqual([{ stage: 'capture', figure: 'rows', before: 100, now: 120 }])
    expect(third.comparison).toMatchObject({
      drift: false,
      drifts: [{ before: 'a', now: 'c', tested: 9, run: 'drift-c' }],
    })
    expect(third.told).toEqual([])
    // Runs that pass and differ from the last accepted ones are told of, too.
    const fourth = await doTick(mine, entry, tick)
    expect(fourth).toMatchObject({
      verdict: 'accepted',
      comparison: { drift: true, drifts: [{ now: 'odd', drifted: 2 }] },
    })
    expect(fourth.told).toEqual(['command'])
  })

  test('is never two at once: the second is skipped and says why', async () => {
    const { desk: mine, entry } = desk({})
    await mine.book.add(entry)
    let finish = () => {}
    const slow: Desk = {
      ...mine,
      runFile: () =>
        new Promise(done => {
          finish = () => done({ exitCode: 0, result: { stages: [] } })
        }),
    }
    const first = doNow(slow, entry)
    while (!(await mine.book.tick('nightly'))) await new Promise(done => setTimeout(done, 5))
    expect(await doNow(mine, entry)).toMatchObject({
      verdict: 'skipped',
      problem: expect.stringContaining('still being done'),
    })
    // A scheduler has nothing to say of it, however often it looks.
    expect(await attend(mine, entry)).toEqual({ until: new Date(now.getTime() + 1000), problem: null })
    expect(await mine.book.journal('nightly')).toHaveLength(1)
    while (finish.toString() === '() => {}') await new Promise(done => setTimeout(done, 5))
    finish()
    expect(await first).toMatchObject({ verdict: 'accepted' })
  })

  test('is done once by three schedulers whose clocks differ, and none says that it was missed', async () => {
    const first = desk({ misfire: 'skip' })
    await first.desk.book.add(first.entry)
    let runs = 0
    const controller = new AbortController()
    /** A scheduler whose clock is so many minutes off, with work that takes a while. */
    const scheduler = (minutes: number) =>
      runScheduler({
        ...first.desk,
        session: {
          ...session,
          signal: controller.signal,
          now: () => new Date(now.getTime() + minutes * 60_000),
        },
        async runFile() {
          runs++
          await new Promise(done => setTimeout(done, 50))
          return { exitCode: 0, result: { stages: [] } }
        },
      })
    // It is three o'clock for two of them, and for the last one not yet, and then for all, twenty minutes later.
    now = at('2026-03-02T02:59:50Z')
    const all = [scheduler(0.3), scheduler(0.4), scheduler(-10)]
    const wait = (condition: () => Promise<boolean>) =>
      vi.waitFor(async () => expect(await condition()).toBe(true), { timeout: 10_000, interval: 20 })
    await wait(async () => (await first.desk.book.journal('nightly')).length === 1)
    now = at('2026-03-02T03:20:00Z')
    await new Promise(done => setTimeout(done, 700))
    controller.abort()
    await Promise.all(all)
    expect(await first.desk.book.journal('nightly')).toMatchObject([
      { due: '2026-03-02T03:00:00.000Z', verdict: 'accepted' },
    ])
    expect(runs).toBe(1)
    // A clock that goes back does no time again.
    now = at('2026-03-01T12:00:00Z')
    expect(await attend(first.desk, first.entry)).toEqual({ until: at('2026-03-03T03:00:00Z'), problem: null })
  })

  test('is not forgotten where two write into the journal at once', async () => {
    const { desk: mine, entry } = desk({})
    await mine.book.add(entry)
    const line = (missed: number) => emptyLine('nightly', { due: tick.due, missed }, new Date(tick.due))
    await Promise.all(Array.from({ length: 12 }, (_, i) => mine.book.write(line(i))))
    const journal = await mine.book.journal('nightly')
    expect(journal.map(({ missed }) => missed).sort((a, b) => a - b)).toEqual(Array.from({ length: 12 }, (_, i) => i))
  })

  test('that was cut is gone on with, also where missed times are skipped', async () => {
    const { desk: mine, entry } = desk({ misfire: 'skip' }, stages(['capture', 'a', 'new']))
    await mine.book.add(entry)
    await mine.book.begin('nightly', { schema: 1, ...tick, started: tick.due })
    now = at('2026-03-05T12:00:00Z')
    expect(await attend(mine, entry)).toMatchObject({ line: { due: tick.due, verdict: 'accepted' } })
    // What passed meanwhile is skipped, in one line.
    expect(await attend(mine, entry)).toMatchObject({
      line: { verdict: 'skipped', due: '2026-03-05T03:00:00.000Z', missed: 3 },
    })
    expect(await attend(mine, entry)).toEqual({ until: at('2026-03-06T03:00:00Z'), problem: null })
  })

  test('that is stopped while its runs are compared is gone on with, and its drift is told of', async () => {
    for (const [id, rows] of [
      ['a', 1],
      ['odd', 2],
    ] as const)
      await made(store, id, 'capture', { config: { rows } })
    const odd = stages(['capture', 'odd', 'new'])
    const { desk: mine, entry } = desk({ onFailure: { command: ['true'] } }, stages(['capture', 'a', 'new']), odd, odd)
    await mine.book.add(entry)
    await doTick(mine, entry, tick)
    const controller = new AbortController()
    const stopped: Desk = {
      ...mine,
      session: { ...session, signal: controller.signal },
      async findDrift() {
        controller.abort()
        return { problem: 'Hashing was interrupted.' }
      },
    }
    now = at('2026-03-02T03:00:00Z')
    await expect(attend(stopped, entry)).rejects.toThrow(InterruptedError)
    expect(await mine.book.journal('nightly')).toHaveLength(1)
    expect(await attend(mine, entry)).toMatchObject({
      line: { due: '2026-03-02T03:00:00.000Z', comparison: { drift: true }, told: ['command'] },
    })
  })

  test('of a file that was broken comes when it last was due, fails, and is told of as the file last said', async () => {
    const { desk: mine, entry, file, calls } = desk({ onFailure: { command: ['sh', '-c', 'cat > told'] } })
    await mine.book.add({ ...entry, schedule: null })
    const look = async () => attend(mine, await mine.book.entry('nightly'))
    expect(await look()).toEqual({ until: at('2026-03-02T03:00:00Z'), problem: null })
    writeFileSync(file, 'capture: { sitez: [a] }')
    const problem = expect.stringContaining('sitez')
    expect(await look()).toEqual({ until: at('2026-03-02T03:00:00Z'), problem })
    now = at('2026-03-02T03:00:01Z')
    const line = { due: '2026-03-02T03:00:00.000Z', verdict: 'failed', exitCode: 1, problem, told: ['command'] }
    expect(await look()).toMatchObject({ line })
    // The program of a notice is in the folder from which the file's paths are.
    expect(JSON.parse(readFileSync(join(folder, 'told'), 'utf8'))).toMatchObject({ verdict: 'failed' })
    expect(calls).toEqual([])
    // One without a schedule any more has no times.
    writeFileSync(file, 'capture: { sites: [a] }')
    now = at('2026-03-03T03:00:01Z')
    await expect(look()).rejects.toThrow('has no section schedule')
  })

  test('that passed while the time before took long is skipped as such', async () => {
    const { desk: mine, entry } = desk({ misfire: 'skip' })
    await mine.book.add(entry)
    await mine.book.write(
      emptyLine('nightly', { due: '2026-03-02T03:00:00.000Z', missed: 0 }, at('2026-03-04T02:00:00Z')),
    )
    now = at('2026-03-04T02:00:01Z')
    expect(await attend(mine, entry)).toMatchObject({
      line: { due: '2026-03-03T03:00:00.000Z', verdict: 'skipped', problem: 'the time before it was still being done' },
    })
    now = at('2026-03-05T02:00:00Z')
    expect(await attend(mine, entry)).toMatchObject({ line: { problem: 'no scheduler ran when it was due' } })
  })
})

describe('the book', () => {
  test('has a line that a power cut left half for none, and goes on behind it', async () => {
    const { desk: mine, entry } = desk({}, stages(), stages())
    await mine.book.add(entry)
    await doTick(mine, entry, tick)
    const path = join(store.directory, '.schedules/nightly/journal.jsonl')
    writeFileSync(path, `${readFileSync(path, 'utf8')}{"schema":1,"sched`)
    expect(await mine.book.journal('nightly')).toHaveLength(1)
    await doTick(mine, entry, tick)
    expect(await mine.book.journal('nightly')).toHaveLength(2)
  })

  test('has one file a name, and names the nearest where there is none', async () => {
    const { desk: mine, entry } = desk({})
    expect(await mine.book.add(entry)).toBe('added')
    expect(await mine.book.add(entry)).toBe('there')
    await expect(mine.book.add({ ...entry, file: '/other.yaml' })).rejects.toThrow('is of')
    await expect(mine.book.entry('nihgtly')).rejects.toThrow('There is no schedule nihgtly')
    await mine.book.remove('nightly')
    expect(await mine.book.names()).toEqual([])
    expect((await store.list()).runs).toEqual([])
  })

  test('a schedule that is removed while its time is done stays removed, and can be added anew', async () => {
    const { desk: mine, entry } = desk({})
    await mine.book.add(entry)
    const removing: Desk = {
      ...mine,
      async runFile() {
        await mine.book.remove('nightly')
        return { exitCode: 0, result: { stages: [] } }
      },
    }
    expect(await doNow(removing, entry)).toMatchObject({ verdict: 'accepted' })
    expect(await mine.book.names()).toEqual([])
    expect(await mine.book.add(entry)).toBe('added')
    expect(await mine.book.journal('nightly')).toEqual([])
  })

  test('a file without a section schedule is refused', async () => {
    const file = join(folder, 'plain.yaml')
    writeFileSync(file, 'name: plain\ncapture: { sites: [hook_embed] }\n')
    await expect(readScheduled(file)).rejects.toThrow('has no section schedule')
    await expect(readScheduled(file)).rejects.toThrow(UserError)
  })
})

describe('runs that may go', () => {
  const line = (verdict: Line['verdict'], runs: Line['runs']) => ({ verdict, runs }) as Line

  test('are those of old times that nothing which stays was made from', async () => {
    const capture = await made(store, 'capture1', 'capture')
    const train1 = await made(store, 'train1', 'train', { inputs: [from(capture, 'capture')] })
    const train2 = await made(store, 'train2', 'train', { inputs: [from(capture, 'capture')], config: { k: 2 } })
    const capture3 = await made(store, 'capture3', 'capture', { config: { tokens: 3 } })
    const train3 = await made(store, 'train3', 'train', { inputs: [from(capture3, 'capture')] })
    const byHand = await made(store, 'validate-by-hand', 'validate', { inputs: [from(train1, 'sae')] })
    const { runs } = await store.list()
    const journal = [
      line('accepted', { capture: ['capture1'], train: ['train1'] }),
      line('accepted', { capture: ['capture1'], train: ['train2'] }),
      line('gate failed', { capture: ['capture3'], train: ['train3'] }),
    ]
    expect([train2, train3, byHand].every(run => run.manifest.status === 'finished')).toBe(true)
    // train1 was used by hand, train2 is the last accepted one, and capture1 is what both were made from.
    expect(removable(journal, 1, runs)).toEqual([])
    const without = runs.filter(({ manifest }) => manifest.id !== 'validate-by-hand')
    expect(removable(journal, 1, without)).toEqual(['train1'])
    const more = [...journal, line('accepted', { capture: ['capture3'], train: ['train4'] })]
    expect(removable(more, 1, without)).toEqual(['capture1', 'train1', 'train2', 'train3'])
    expect(removable(more, 4, without)).toEqual([])
  })

  test('a kept comparison keeps the older of its runs no longer, and goes with its time', async () => {
    const older = await made(store, 'older', 'capture')
    const newer = await made(store, 'newer', 'capture', { config: { tokens: 1 } })
    const inputs = [from(older, 'a'), from(newer, 'b')]
    await made(store, 'compared', 'drift', { inputs })
    await made(store, 'newest', 'capture', { config: { tokens: 2 } })
    const { runs } = await store.list()
    const drifts = [{ stage: 'capture', before: 'older', now: 'newer', run: 'compared' }]
    const journal = [
      line('accepted', { capture: ['older'] }),
      { ...line('accepted', { capture: ['newer'] }), comparison: { drifts } } as unknown as Line,
    ]
    expect(removable(journal, 1, runs)).toEqual(['older'])
    const later = [...journal, line('accepted', { capture: ['newest'] })]
    expect(removable(later, 1, runs)).toEqual(['compared', 'newer', 'older'])
    // One that nobody scheduled keeps both.
    await made(store, 'by-hand', 'drift', { inputs, config: { alpha: 0.1 } })
    expect(removable(later, 1, (await store.list()).runs)).toEqual(['compared'])
  })

  test('are removed when the time is done, and the line names them', async () => {
    await made(store, 'old', 'capture')
    await made(store, 'new', 'capture', { config: { tokens: 1 } })
    const { desk: mine, entry } = desk(
      { keep: 1 },
      stages(['capture', 'old', 'new']),
      stages(['capture', 'new', 'new']),
    )
    await mine.book.add(entry)
    expect((await doTick(mine, entry, tick)).removed).toEqual([])
    expect((await doTick(mine, entry, tick)).removed).toEqual(['old'])
    expect((await store.list()).runs.map(({ manifest }) => manifest.id)).toEqual(['new'])
  })
})

describe('a notice', () => {
  const line = { schedule: 'nightly', due: tick.due, verdict: 'gate failed', problem: null, comparison: null } as Line

  test('is posted to the address that a variable holds, which no line ever shows', async () => {
    const bodies: unknown[] = []
    const server = createServer(async (request, response) => {
      bodies.push(await json(request))
      response.writeHead(bodies.length === 1 ? 200 : 500).end()
    }).listen(0, '127.0.0.1')
    await new Promise(done => server.once('listening', done))
    process.env.TEST_WEBHOOK = `http://127.0.0.1:${(server.address() as AddressInfo).port}/secret`
    try {
      expect(await notify({ webhook: 'TEST_WEBHOOK' }, line, folder)).toEqual(['webhook'])
      expect(bodies[0]).toMatchObject({ text: expect.stringContaining('gate failed'), schedule: 'nightly' })
      expect(await notify({ webhook: 'TEST_WEBHOOK' }, line, folder)).toEqual(['webhook failed: HTTP 500'])
      server.closeAllConnections()
      await new Promise(done => server.close(done))
      const [gone] = await notify({ webhook: 'TEST_WEBHOOK' }, line, folder)
      // The second where the connection of the last one was still being closed.
      expect(gone).toMatch(/^webhook failed: no answer \((ECONNREFUSED|UND_ERR_SOCKET)\)$/)
      process.env.TEST_WEBHOOK = 'http://[secret'
      expect(await notify({ webhook: 'TEST_WEBHOOK' }, line, folder)).toEqual([
        'webhook failed: TEST_WEBHOOK holds no http address',
      ])
    } finally {
      delete process.env.TEST_WEBHOOK
    }
    expect(await notify({ webhook: 'TEST_WEBHOOK' }, line, folder)).toEqual(['webhook failed: TEST_WEBHOOK is not set'])
  })

  test('by a program that fails says how', async () => {
    expect(await notify({ command: ['sh', '-c', 'echo no mail >&2; exit 3'] }, line, folder)).toEqual([
      'command failed: it ended with code 3: no mail',
    ])
    expect((await notify({ command: ['/no/such/program'] }, line, folder))[0]).toMatch(/^command failed: .*ENOENT/)
  })
})

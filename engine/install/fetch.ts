/**
 * Getting a pinned wheel. pip knows where (its index, mirror or folder, as the user has set it up); from there the file
 * is read in ranges, so that a cut download goes on where it stopped. Where that cannot be had (an old pip, a proxy, an
 * authority that only pip trusts), pip fetches the file whole. Either way the pinned sha256 decides.
 */
import { createWriteStream } from 'node:fs'
import { copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { FaultError, messageOf, UserError } from '../../core/errors.ts'
import { writeError } from '../../core/files.ts'
import { sha256File } from '../../core/hash.ts'
import type { Progress } from '../../core/progress.ts'
import { uniformOf } from '../../core/random.ts'
import { ProgramError, run } from './run.ts'
import { parseWheel, type Wheel } from './wheels.ts'

/** pip tells where a file is, without fetching it, from this version on (PEP 658 metadata, `--report`). */
const REPORTING_PIP = [23, 2] as const
/** A download that stands still for so long is cut and taken up again. */
const STALL = 30_000
/** Attempts in a row that bring nothing new, after which the download is given up. */
const ATTEMPTS = 4

/**
 * Puts one of `wheels` (the first that can be had) into `folder` and returns its path; already there, nothing is done.
 * `pause` is the shortest wait between attempts, in milliseconds.
 */
export async function fetchWheel(
  wheels: readonly Wheel[],
  folder: string,
  progress: Progress,
  pause = 500,
): Promise<string> {
  await mkdir(folder, { recursive: true }).catch(error => {
    throw writeError(folder, error)
  })
  for (const wheel of wheels) if (await isWhole(join(folder, wheel.file), wheel)) return join(folder, wheel.file)
  progress.start(`Looking for ${parseWheel(wheels[0]!.file).requirement}`, undefined, 'places')
  let first: unknown
  for (const wheel of wheels) {
    try {
      return await fetchOne(wheel, folder, progress, pause)
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error
      if (error.missing || /No module named pip/.test(error.message)) throw noPython(error)
      first ??= error
    }
  }
  const { requirement } = parseWheel(wheels[0]!.file)
  throw new FaultError(`pip could not fetch ${requirement}: ${messageOf(first)}.`, {
    fix: 'Check the network and pip’s index, or name a folder that holds the wheel in LIBTENSORFLOW_DIR.',
    cause: first,
  })
}

/** Throws a `FaultError` unless a file is what was pinned. */
export async function verifyWheel(path: string, wheel: Wheel): Promise<void> {
  const found = await sha256File(path)
  if (found === wheel.sha256) return
  throw new FaultError(`${path} is not what was pinned: its sha256 is ${found}, not ${wheel.sha256}.`, {
    fix: 'Fetch it again; if it stays so, its source is broken or was tampered with.',
  })
}

/** The wheel is here and has the pinned sha256; a damaged one is removed. */
async function isWhole(path: string, wheel: Wheel): Promise<boolean> {
  if ((await sizeOf(path)) === undefined) return false
  if ((await sha256File(path)) === wheel.sha256) return true
  await rm(path)
  return false
}

async function fetchOne(wheel: Wheel, folder: string, progress: Progress, pause: number): Promise<string> {
  const path = join(folder, wheel.file)
  const partial = `${path}.partial`
  const resumed = (await sizeOf(partial)) !== undefined
  const url = await locate(wheel, folder)
  progress.start(`Fetching ${parseWheel(wheel.file).requirement}`, wheel.bytes, 'bytes')
  if (url?.protocol === 'file:') await copyFile(fileURLToPath(url), partial)
  else if (!url || !(await readRanges(url, partial, wheel, progress, pause)))
    await letPipFetch(wheel, folder, partial, progress)
  try {
    await verifyWheel(partial, wheel)
  } catch (error) {
    await rm(partial, { force: true })
    // What an earlier run left may have been of another file: then the whole of this one is still to be had.
    if (resumed) return fetchOne(wheel, folder, progress, pause)
    throw error
  }
  await rename(partial, path)
  progress.finish()
  return path
}

/** Where pip would fetch exactly this file from; undefined where it cannot say. */
async function locate(wheel: Wheel, folder: string): Promise<URL | undefined> {
  if (usesProxy() || !(await pipReports())) return undefined
  const report = await pip([
    'install',
    '--dry-run',
    '--ignore-installed',
    '--quiet',
    '--report',
    '-',
    '--target',
    join(folder, 'unused'),
    ...selection(wheel),
  ])
  const found = JSON.parse(report) as { install?: { download_info?: { url?: string } }[] }
  const url = found.install?.[0]?.download_info?.url
  return url && basename(new URL(url).pathname) === wheel.file ? new URL(url) : undefined
}

/**
 * Reads the file from where an earlier read stopped. False where the server cannot be spoken to at all, so that another
 * way is tried. An answer that brings the file no further than it ever was counts as a failed attempt, whatever its status;
 * after some in a row, each after a longer pause, it is given up as a `FaultError` that leaves what came.
 */
async function readRanges(
  url: URL,
  partial: string,
  wheel: Wheel,
  progress: Progress,
  pause: number,
): Promise<boolean> {
  let furthest = (await sizeOf(partial)) ?? 0
  let heard = furthest > 0
  for (let failures = 0; ; ) {
    const before = (await sizeOf(partial)) ?? 0
    if (before === wheel.bytes) return true
    if (before > wheel.bytes) await rm(partial)
    let cause: unknown
    try {
      await readOn(url, partial, done => {
        heard = true
        progress.update(done)
      })
    } catch (error) {
      if (isDiskFault(error)) throw writeError(partial, error)
      cause = error
    }
    const now = (await sizeOf(partial)) ?? 0
    if (now === wheel.bytes) return true
    if (now > furthest && now < wheel.bytes) {
      furthest = now
      failures = 0
      continue
    }
    failures++
    if (!heard) return false
    if (failures >= ATTEMPTS) {
      // What a server sends instead of the file is no beginning of it.
      if (cause === undefined) await rm(partial, { force: true })
      throw new FaultError(
        cause === undefined
          ? `The server of ${wheel.file} answers with something else: ${ATTEMPTS} answers brought nothing after ${furthest} of ${wheel.bytes} bytes.`
          : `The download of ${wheel.file} was cut at ${now} of ${wheel.bytes} bytes: ${messageOf(cause)}.`,
        { fix: 'Start the same command again; it goes on where it stopped.', cause },
      )
    }
    await sleep(pauseAfter(failures, wheel, pause))
  }
}

/** Twice as long after each failure, and by up to a half longer or shorter, so that many machines do not ask at once. */
function pauseAfter(failures: number, wheel: Wheel, pause: number): number {
  return pause * 2 ** failures * (0.5 + uniformOf('pause', wheel.sha256, hostname(), failures))
}

/** Reads the file on to its end, from as much as is there. */
async function readOn(url: URL, partial: string, onBytes: (done: number) => void): Promise<void> {
  let done = (await sizeOf(partial)) ?? 0
  const stalled = new AbortController()
  const timer = setTimeout(() => stalled.abort(new Error('the server stopped sending')), STALL)
  try {
    const headers = { 'accept-encoding': 'identity', ...(done > 0 ? { range: `bytes=${done}-` } : {}) }
    const response = await fetch(url, { headers, signal: stalled.signal })
    if (response.status === 416) {
      await response.body?.cancel()
      await rm(partial, { force: true })
      return
    }
    if (!response.ok || !response.body) {
      await response.body?.cancel()
      throw new Error(`the server answered ${response.status}`)
    }
    if (response.status !== 206) done = 0
    const body = Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0])
    body.on('data', (chunk: Buffer) => {
      done += chunk.length
      onBytes(done)
      timer.refresh()
    })
    await pipeline(body, createWriteStream(partial, { flags: response.status === 206 ? 'a' : 'w' }))
  } finally {
    clearTimeout(timer)
  }
}

/** pip keeps nothing of a cut download, so this way starts from the beginning. */
async function letPipFetch(wheel: Wheel, folder: string, partial: string, progress: Progress): Promise<void> {
  const work = join(folder, `pip-${wheel.sha256.slice(0, 8)}`)
  await rm(work, { recursive: true, force: true })
  await mkdir(work)
  const watch = setInterval(async () => progress.update(await largestFile(work)), 500)
  try {
    await pip(['download', '--dest', join(work, 'done'), ...selection(wheel)], { TMPDIR: work, TEMP: work, TMP: work })
    const [file] = (await readdir(join(work, 'done'))).filter(name => name.endsWith('.whl'))
    if (file !== wheel.file) throw new ProgramError(`pip fetched ${file ?? 'nothing'} for ${wheel.file}`, false, '')
    await rename(join(work, 'done', file), partial)
  } finally {
    clearInterval(watch)
    await rm(work, { recursive: true, force: true })
  }
}

/** The options by which pip takes this wheel, whatever Python and system it runs on. */
function selection(wheel: Wheel): string[] {
  const { requirement, python, platform } = parseWheel(wheel.file)
  const version = /^cp(\d)(\d+)$/.exec(python)
  return [
    '--no-deps',
    '--only-binary=:all:',
    '--retries',
    '0',
    '--timeout',
    '15',
    '--disable-pip-version-check',
    '--platform',
    platform,
    ...(version ? ['--python-version', `${version[1]}.${version[2]}`, '--implementation', 'cp'] : []),
    requirement,
  ]
}

function pip(parameters: readonly string[], env: Record<string, string> = {}): Promise<string> {
  return run('python3', ['-m', 'pip', ...parameters], { env })
}

async function pipReports(): Promise<boolean> {
  const [, major, minor] = /pip (\d+)\.(\d+)/.exec(await pip(['--version'])) ?? []
  const [least, part] = REPORTING_PIP
  return Number(major) > least || (Number(major) === least && Number(minor) >= part)
}

/** Node's fetch knows no proxy; pip does. */
function usesProxy(): boolean {
  return ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'].some(name => process.env[name])
}

function isDiskFault(error: unknown): boolean {
  return (
    error instanceof Error &&
    'syscall' in error &&
    'code' in error &&
    ['ENOSPC', 'EDQUOT', 'EIO'].includes(String(error.code))
  )
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    info => info.size,
    () => undefined,
  )
}

async function largestFile(folder: string): Promise<number> {
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  return Math.max(0, ...(await Promise.all(names.map(async name => (await sizeOf(join(folder, name))) ?? 0))))
}

function noPython(cause: unknown): UserError {
  return new UserError('TensorFlow comes as a Python wheel, but there is no python3 with pip to fetch it.', {
    fix: 'Install Python 3 with pip, or name a folder that holds the wheel in LIBTENSORFLOW_DIR.',
    cause,
  })
}

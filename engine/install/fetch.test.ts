import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { FaultError, UserError } from '../../core/errors.ts'
import { silent } from '../../core/progress.ts'
import { Random } from '../../core/random.ts'
import { fetchWheel } from './fetch.ts'
import { type FakePip, fakePython, wheelOf } from './wheel.fixture.ts'

const random = new Random(1)
const content = Buffer.from(Uint8Array.from({ length: 200_000 }, () => random.int(256)))
const wheel = wheelOf(content)

let folder = ''
let downloads = ''
let server: Server | undefined
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fetch-'))
  downloads = join(folder, 'downloads')
  for (const name of ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY']) vi.stubEnv(name, '')
})
afterEach(async () => {
  vi.unstubAllEnvs()
  server?.closeAllConnections()
  server?.close()
  server = undefined
  await rm(folder, { recursive: true })
})

async function usePip(pip: FakePip): Promise<void> {
  vi.stubEnv('PATH', await fakePython(join(folder, 'bin'), pip))
}

/** Serves the wheel; returns its address and the ranges that were asked for. */
async function serve(answer: RequestListener): Promise<{ url: string; ranges: (string | undefined)[] }> {
  const ranges: (string | undefined)[] = []
  server = createServer((request, response) => {
    ranges.push(request.headers.range)
    answer(request, response)
  })
  await new Promise<void>(resolve => server!.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${wheel.file}`, ranges }
}

/** Answers ranges as servers of wheels do; `cut` ends the first answer after so many bytes. */
function ranged(cut?: number): RequestListener {
  let answers = 0
  return (request, response) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': content.length - from })
    if (answers++ === 0 && cut !== undefined) {
      response.write(content.subarray(from, from + cut), () => setTimeout(() => response.destroy(), 20))
    } else response.end(content.subarray(from))
  }
}

async function expectWhole(path: string): Promise<void> {
  expect(path).toBe(join(downloads, wheel.file))
  expect((await readFile(path)).equals(content)).toBe(true)
  expect(await readdir(downloads)).toEqual([wheel.file])
}

describe('a wheel', () => {
  test('comes from where pip says, with progress to the last byte', async () => {
    const { url } = await serve(ranged())
    await usePip({ url })
    let done = 0
    const progress = { ...silent, update: (bytes: number) => (done = bytes) }
    await expectWhole(await fetchWheel([wheel], downloads, progress))
    expect(done).toBe(content.length)
  })

  test('that is here is not fetched again', async () => {
    await mkdir(downloads)
    await writeFile(join(downloads, wheel.file), content)
    await usePip({})
    await expectWhole(await fetchWheel([wheel], downloads, silent))
    expect(await readdir(join(folder, 'bin'))).toEqual(['python3'])
  })

  test('that is here but damaged is fetched again', async () => {
    const { url } = await serve(ranged())
    await usePip({ url })
    await mkdir(downloads)
    await writeFile(join(downloads, wheel.file), 'damaged')
    await expectWhole(await fetchWheel([wheel], downloads, silent))
  })

  test('cut on the way is read on from there', async () => {
    const { url, ranges } = await serve(ranged(50_000))
    await usePip({ url })
    await expectWhole(await fetchWheel([wheel], downloads, silent))
    expect(ranges.length).toBe(2)
    const from = Number(/bytes=(\d+)-/.exec(ranges[1]!)![1])
    expect(from).toBeGreaterThan(0)
    expect(from).toBeLessThanOrEqual(50_000)
  })

  test('cut by the end of an earlier process is read on from there', async () => {
    const { url, ranges } = await serve(ranged())
    await usePip({ url })
    await mkdir(downloads)
    await writeFile(join(downloads, `${wheel.file}.partial`), content.subarray(0, 123_456))
    await expectWhole(await fetchWheel([wheel], downloads, silent))
    expect(ranges).toEqual(['bytes=123456-'])
  })

  test('whose earlier beginning is of another file is fetched from the start', async () => {
    const { url, ranges } = await serve(ranged())
    await usePip({ url })
    await mkdir(downloads)
    await writeFile(join(downloads, `${wheel.file}.partial`), Buffer.alloc(1000))
    await expectWhole(await fetchWheel([wheel], downloads, silent))
    expect(ranges).toEqual(['bytes=1000-', undefined])
  })

  test('from a folder of wheels is copied', async () => {
    await writeFile(join(folder, wheel.file), content)
    await usePip({ url: `file://${folder}/${wheel.file}` })
    await expectWhole(await fetchWheel([wheel], downloads, silent))
  })

  test.each([
    ['an old pip cannot say where it is', { version: '22.0.2' }],
    ['pip names another file', { url: 'http://127.0.0.1:9/other-1.0-py3-none-any.whl' }],
    ['its server cannot be reached by us', { url: `http://127.0.0.1:9/${wheel.file}` }],
  ])('is fetched by pip where %s', async (_, pip) => {
    await writeFile(join(folder, wheel.file), content)
    await usePip({ ...pip, file: join(folder, wheel.file) })
    await expectWhole(await fetchWheel([wheel], downloads, silent))
  })

  test('stands in for one that cannot be had', async () => {
    await writeFile(join(folder, wheel.file), content)
    await usePip({ version: '22.0.2', file: join(folder, wheel.file) })
    const first = wheelOf(Buffer.from('other'), 'other-1.0-py3-none-any.whl')
    await expectWhole(await fetchWheel([first, wheel], downloads, silent))
  })
})

describe('it is said in a sentence', () => {
  test('when the file is not the pinned one, which is then removed', async () => {
    const { url } = await serve((_, response) => response.end(Buffer.alloc(content.length)))
    await usePip({ url })
    const fetching = fetchWheel([wheel], downloads, silent)
    await expect(fetching).rejects.toThrow(/is not what was pinned: its sha256 is/)
    await expect(fetching).rejects.toBeInstanceOf(FaultError)
    expect(await readdir(downloads)).toEqual([])
  })

  test('when pip finds nothing', async () => {
    await usePip({})
    const fetching = fetchWheel([wheel], downloads, silent)
    await expect(fetching).rejects.toThrow('pip could not fetch thing==1.0: No matching distribution.')
    await expect(fetching).rejects.toBeInstanceOf(FaultError)
  })

  test('when there is no Python', async () => {
    vi.stubEnv('PATH', folder)
    const fetching = fetchWheel([wheel], downloads, silent)
    await expect(fetching).rejects.toThrow('there is no python3')
    await expect(fetching).rejects.toBeInstanceOf(UserError)
  })

  test('when the download is cut again and again, and what came is kept', async () => {
    const { url } = await serve((request, response) => {
      if (request.headers.range) return void response.writeHead(503).end()
      response.writeHead(200, { 'content-length': content.length })
      response.write(content.subarray(0, 70_000), () => setTimeout(() => response.destroy(), 20))
    })
    await usePip({ url })
    await expect(fetchWheel([wheel], downloads, silent, 1)).rejects.toThrow(
      /was cut at \d+ of 200000 bytes: the server answered 503/,
    )
    expect(await readdir(downloads)).toEqual([`${wheel.file}.partial`])
  })

  const page = '<html>log in</html>'
  test.each<[string, RequestListener]>([
    ['an error page', (_, response) => response.end(page)],
    [
      'an error page, and 416 for what follows it',
      ({ headers }, response) => (headers.range ? response.writeHead(416).end() : response.end(page)),
    ],
    [
      'some of the file, then nothing under any status',
      ({ headers }, response) =>
        headers.range ? response.writeHead(206).end() : response.end(content.subarray(0, 1000)),
    ],
    ['a page that is longer than the file', (_, response) => response.end(Buffer.alloc(content.length + 1))],
  ])('when the server sends %s: after a few attempts', async (_, answer) => {
    const { url, ranges } = await serve(answer)
    await usePip({ url })
    const began = performance.now()
    await expect(fetchWheel([wheel], downloads, silent, 20)).rejects.toMatchObject({
      exitCode: 75,
      message: expect.stringContaining('answers with something else'),
    })
    // The pauses double from twice the shortest, each between a half and one and a half of that: 40, 80 and 160 ms.
    expect(performance.now() - began).toBeGreaterThan(140)
    expect(ranges.length).toBeLessThanOrEqual(5)
    expect(await readdir(downloads)).toEqual([])
  })

  test('when the server sends nothing: pip is asked for the file instead', async () => {
    const { url, ranges } = await serve((_, response) => response.end())
    await usePip({ url })
    await expect(fetchWheel([wheel], downloads, silent, 1)).rejects.toMatchObject({ exitCode: 75 })
    expect(ranges).toHaveLength(1)
  })
})

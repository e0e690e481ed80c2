/** SAEs of other libraries through the command line: verify, quality, reference, export and import, and back. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli, runHere } from './cli.ts'
import { compiledPath } from './compiled.ts'
import { sharedData } from './shared-data.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-sae-files-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** In this process, but for an engine that is named. */
const pipeline = async (args: string[]) => {
  const env = { PIPELINE_RUNS: join(folder, 'runs'), PIPELINE_OPS: 'off' }
  const all = [...args, '--json']
  const { code, stdout, stderr } = await (args.includes('--engine') ? runCli(all, { env }) : runHere(all, env))
  return { code, stderr, json: stdout === '' ? undefined : JSON.parse(stdout) }
}

const formats = sharedData('saes', 'formats')
const published = sharedData('saes', 'feature-routing-relu-64')

test.skipIf(!published).each(['auto', 'wasm'])(
  'the published figures come from the command line on %s',
  async engine => {
    const { code, json } = await pipeline([
      ...['sae', 'quality', '--sae', published!, '--engine', engine, '--tensor', 'acts_8192'],
      ...['--rows', sharedData('goldens', 'feature-routing.sae.safetensors')!],
    ])
    const { published: expected } = JSON.parse(readFileSync(sharedData('goldens', 'feature-routing.sae.json')!, 'utf8'))
    expect(code).toBe(0)
    const near = (value: number) => expect.closeTo(value, 7)
    expect(json).toMatchObject({
      fvu: expect.closeTo(expected.fvu, 9),
      rowError: {
        mean: expect.closeTo(expected.abs_recon_err_mean, 6),
        p99: expect.closeTo(expected.abs_recon_err_p99, 6),
      },
      rowRelativeError: { mean: near(expected.rel_recon_err_mean), p99: near(expected.rel_recon_err_p99) },
      rowL0: { mean: expect.closeTo(expected.l0_mean, 4), p99: expected.l0_p99 },
      dead: expected.dead_features,
    })
  },
)

describe.skipIf(!formats)('an SAE of dictionary_learning', () => {
  const source = () => join(formats!, 'dictionary_learning-batchtopk')
  const expected = () => join(source(), 'expected.safetensors')

  const computesTheSame = async (directory: string) => {
    const { code, json } = await pipeline(['sae', 'verify', '--sae', directory, '--reference', expected()])
    expect(code).toBe(0)
    expect(json.largest).toBeLessThan(1e-5)
  }

  test('is imported as a run, and the run exported to the format it came from', { timeout: 120_000 }, async () => {
    const imported = await pipeline(['import', '--from', source(), '--name', 'theirs'])
    expect(imported.code, imported.stderr).toBe(0)
    const to = join(folder, 'back')
    const exported = await pipeline(['export', 'sae', '--run', 'theirs', '--to', 'dictionary_learning', '--output', to])
    expect(exported.json).toEqual({ path: to, format: 'dictionary_learning', files: ['ae.pt', 'config.json'] })
    await computesTheSame(to)
  })

  test.each(['saelens', 'gemma-scope'])(
    'is exported to %s and computes the same',
    { timeout: 120_000 },
    async format => {
      const to = join(folder, format)
      const exported = await pipeline(['export', 'sae', '--run', source(), '--to', format, '--output', to])
      expect(exported.json).toEqual({ path: to, format, files: readdirSync(to).sort() })
      await computesTheSame(to)
    },
  )

  test('is refused by a format that cannot hold it, and nothing is written', async () => {
    const to = join(folder, 'refused')
    const { code, json } = await pipeline(['export', 'sae', '--run', source(), '--to', 'sparsify', '--output', to])
    expect(code).toBe(1)
    expect(json.error.message).toBe(
      'The sparsify format cannot hold a jumprelu SAE; it holds topk, topk_transcoder, topk_skip_transcoder.',
    )
    expect(readdirSync(folder)).not.toContain('refused')
  })

  test.skipIf(process.platform !== 'linux')('is not half exported where the disk is full', async () => {
    const to = join(folder, 'full')
    const { code, stderr } = await runCli(
      ['export', 'sae', '--run', source(), '--to', 'dictionary_learning', '--output', to],
      { imports: [compiledPath('tests/full-disk.ts')], env: { FULL_DISK: 'config.json', PIPELINE_OPS: 'off' } },
    )
    expect(code).toBe(75)
    expect(stderr).toContain('The disk is full')
    expect(readdirSync(folder).filter(name => name.startsWith('full'))).toEqual([])
  })

  test('writes a reference that it is verified by; the same seed gives the same bytes', {
    timeout: 120_000,
  }, async () => {
    const [a, b] = [join(folder, 'a.safetensors'), join(folder, 'b.safetensors')]
    for (const path of [a, b])
      expect(
        (await pipeline(['sae', 'reference', '--sae', source(), '--output', path, '--count', '20'])).json.rows,
      ).toBe(20)
    expect(readFileSync(a)).toEqual(readFileSync(b))
    const again = ['sae', 'reference', '--sae', source(), '--rows', expected(), '--output']
    const { code, stderr } = await pipeline([...again, b])
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('is there already') })
    expect(readFileSync(a)).toEqual(readFileSync(b))
    rmSync(b)
    const given = await pipeline([...again, b])
    expect(given.json).toMatchObject({ rows: 64, architecture: 'jumprelu' })
    for (const reference of [a, b]) {
      const { code, json } = await pipeline(['sae', 'verify', '--sae', source(), '--reference', reference])
      expect({ code, latents: json.latents, reconstruction: json.reconstruction }).toEqual({
        code: 0,
        latents: 0,
        reconstruction: 0,
      })
    }
  })
})

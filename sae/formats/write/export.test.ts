import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { UserError } from '../../../core/errors.ts'
import { hashPath } from '../../../core/hash.ts'
import { Random } from '../../../core/random.ts'
import { unzip } from '../../../core/zip.ts'
import { crc32, zipPieces } from '../../../core/zip-writer.ts'
import { startEngine } from '../../../engine/engine.ts'
import { type Tensor2D, tf } from '../../../engine/tf.ts'
import { stateDictPieces } from '../../../engine/torch/writer.ts'
import { sharedData } from '../../../tests/shared-data.ts'
import { tensorShapes } from '../../inference.ts'
import { makeSae } from '../../make.ts'
import { verifySae } from '../../parity/sae.ts'
import type { Sae } from '../../sae.ts'
import { parseStateDict } from '../files/torch.ts'
import { openSae, type SaeFormat, saeFormats } from '../index.ts'
import { exportSae } from './export.ts'
import { toPortable } from './portable.ts'

let folder: string
let count = 0
beforeAll(async () => {
  await startEngine()
  folder = await mkdtemp(join(tmpdir(), 'export-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const fresh = () => join(folder, `to-${count++}`)

/** An SAE with decoder rows of many norms, a decoder bias, and thresholds that matter. */
function anySae(architecture: string, config: Record<string, unknown> = {}, outputs = 6): Sae {
  const random = new Random(7, architecture)
  const [width, latents] = [6, 15]
  const normal = (name: string, shape: number[]) => {
    const draw = () => (name === 'threshold' ? Math.abs(random.normal()) : random.normal())
    return tf.tensor(
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 0.6 * draw()),
      shape,
    )
  }
  const shapes = tensorShapes(architecture, { width, latents, outputs }, {})
  const params = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, normal(name, shape)]))
  return makeSae({
    architecture,
    config: { apply_b_dec_to_input: true, normalize_activations: 'none', k: 4, ...config },
    metadata: { hook_name: 'blocks.3.hook_resid_post', model_name: 'some-model' },
    params,
  })
}

const rows = () => {
  const random = new Random(1, 'rows')
  return tf.tensor2d(
    Float32Array.from({ length: 200 * 6 }, () => 1.5 * random.normal()),
    [200, 6],
  )
}

/** Largest difference of latents and reconstructions of two SAEs. */
function apart(a: Sae, b: Sae): number {
  return tf.tidy(() => {
    const x = rows()
    const of = (found: Tensor2D, expected: Tensor2D) => found.sub(expected).abs().max().dataSync()[0]!
    return Math.max(of(a.encodeDense(x), b.encodeDense(x)), of(a.reconstruct(x), b.reconstruct(x)))
  })
}

const all = ['standard', 'topk', 'jumprelu', 'gated'] as const
const transcoders = ['transcoder', 'skip_transcoder', 'jumprelu_transcoder', 'jumprelu_skip_transcoder']
const topkTranscoders = ['topk_transcoder', 'topk_skip_transcoder']
const holds: Record<SaeFormat, readonly string[]> = {
  saelens: [...all, ...transcoders],
  dictionary_learning: all,
  sparsify: ['topk', ...topkTranscoders],
  'gemma-scope': ['jumprelu', 'standard', 'gated'],
}
const every = [...all, ...transcoders, ...topkTranscoders, 'crosscoder', 'jumprelu_crosscoder']

describe.each(saeFormats)('%s', format => {
  test.each(holds[format])('gives a %s SAE back as it was, whatever is taken from its input', async architecture => {
    for (const config of [
      { apply_b_dec_to_input: true },
      { apply_b_dec_to_input: false },
      { apply_b_dec_to_input: true, rescale_acts_by_decoder_norm: true },
    ]) {
      const before = tf.memory().numTensors
      const sae = anySae(architecture, config)
      const [to, again] = [fresh(), fresh()]
      const portable = await toPortable(sae)
      const files = await exportSae(to, portable, format)
      expect(files.length).toBeGreaterThan(0)
      const back = await openSae(to)
      expect([back.width, back.latents, back.outputs]).toEqual([sae.width, sae.latents, sae.outputs])
      expect(apart(sae, back)).toBeLessThan(1e-5)
      if (format !== 'gemma-scope' && !architecture.includes('transcoder'))
        expect(back.metadata.hook_name).toBe('blocks.3.hook_resid_post')
      await exportSae(again, portable, format)
      expect(await hashPath(again)).toBe(await hashPath(to))
      sae.dispose()
      back.dispose()
      expect(tf.memory().numTensors).toBe(before)
    }
  })

  test('refuses every other SAE in one sentence, and leaves nothing', async () => {
    for (const architecture of every.filter(name => !holds[format].includes(name))) {
      const sae = anySae(architecture)
      const to = fresh()
      await expect(exportSae(to, await toPortable(sae), format)).rejects.toThrow(
        `The ${format} format cannot hold a ${architecture} SAE`,
      )
      expect((await readdir(folder)).filter(name => join(folder, name).startsWith(to))).toEqual([])
      sae.dispose()
    }
  })

  test('does not write over what is there', async () => {
    const to = fresh()
    const sae = anySae(holds[format][0]!)
    const portable = await toPortable(sae)
    sae.dispose()
    await exportSae(to, portable, format)
    await expect(exportSae(to, portable, format)).rejects.toThrow('is not empty')
  })
})

test.each(['standard', 'skip_transcoder'])('rows of a %s that are normalised stay with SAELens', async architecture => {
  const sae = anySae(architecture, { normalize_activations: 'layer_norm' })
  const portable = await toPortable(sae)
  if (architecture === 'standard')
    await expect(exportSae(fresh(), portable, 'gemma-scope')).rejects.toThrow('rows are normalised by layer_norm')
  const to = fresh()
  await exportSae(to, portable, 'saelens')
  const back = await openSae(to)
  expect(apart(sae, back)).toBeLessThan(1e-5)
  tf.dispose([Object.values(sae.params), Object.values(back.params)])
})

test('a transcoder to another width is no sparsify SAE', async () => {
  const sae = anySae('topk_transcoder', { apply_b_dec_to_input: false }, 4)
  const portable = await toPortable(sae)
  sae.dispose()
  await expect(exportSae(fresh(), portable, 'sparsify')).rejects.toThrow('from width 6 to 4: it keeps one width')
})

describe('an SAE trained with batch top-k', () => {
  const trained = (pipeline: unknown) => {
    const sae = anySae('jumprelu')
    const params = { ...sae.params, threshold: tf.fill([15], 0.7) }
    sae.params.threshold!.dispose()
    return makeSae({ ...sae, params, metadata: { ...sae.metadata, pipeline } })
  }
  test.each([
    ['BatchTopKSAE', 'batchtopk', undefined],
    ['MatryoshkaBatchTopKSAE', 'matryoshka', [3, 4, 8]],
  ])('becomes a %s with its k, threshold and groups, and stays one', async (kind, architecture, groups) => {
    const sae = trained({ architecture, settings: { k: 5, widths: [3, 7] } })
    const [to, again] = [fresh(), fresh()]
    await exportSae(to, await toPortable(sae), 'dictionary_learning')
    const { trainer } = JSON.parse(await readFile(join(to, 'config.json'), 'utf8'))
    expect(trainer).toMatchObject({ dict_class: kind, k: 5, layer: 3, activation_dim: 6, dict_size: 15 })
    const tensors = parseStateDict(await readFile(join(to, 'ae.pt')), 'ae.pt')
    expect(tensors.get('k')!.data[0]).toBe(5)
    expect(tensors.get('threshold')).toEqual({ shape: [], data: Float32Array.of(0.7) })
    expect(tensors.get('group_sizes')?.data).toEqual(groups && Float32Array.from(groups))
    const back = await openSae(to)
    expect(apart(sae, back)).toBeLessThan(1e-5)
    await exportSae(again, await toPortable(back), 'dictionary_learning')
    expect(await readFile(join(again, 'ae.pt'))).toEqual(await readFile(join(to, 'ae.pt')))
    sae.dispose()
    back.dispose()
  })
})

const shared = sharedData('saes', 'formats')
describe.skipIf(!shared)('SAEs of other libraries, in every format that holds them,', () => {
  test.each(saeFormats)('give their own libraries’ values from %s', { timeout: 60_000 }, async format => {
    let held = 0
    for (const name of await readdir(shared!)) {
      const sae = await openSae(join(shared!, name))
      const to = fresh()
      try {
        await exportSae(to, await toPortable(sae), format)
      } catch (error) {
        if (!(error instanceof UserError)) throw error
        continue
      } finally {
        sae.dispose()
      }
      const { largest } = await verifySae(to, join(shared!, name, 'expected.safetensors'))
      expect(largest, name).toBeLessThan(1e-5)
      held++
    }
    expect(held).toBe({ saelens: 17, dictionary_learning: 16, sparsify: 5, 'gemma-scope': 12 }[format])
  })
})

describe('a zip archive', () => {
  const data = (size: number) => Uint8Array.from({ length: size }, (_, i) => i)
  const bytes = (pieces: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(pieces))
  test('reads back, its members aligned where asked for', () => {
    const archive = bytes(
      zipPieces(
        [
          { name: 'a', data: [data(3)] },
          { name: 'b/longer', data: [data(70), data(5)] },
        ],
        { align: 64 },
      ),
    )
    const members = unzip(archive, 'x')
    expect([...members.keys()]).toEqual(['a', 'b/longer'])
    expect(members.get('b/longer')).toEqual(new Uint8Array([...data(70), ...data(5)]))
    for (const member of members.values()) expect(member.byteOffset % 64).toBe(0)
  })
  test('beyond 4 GiB has zip64 fields; the same in small', () => {
    const archive = bytes(
      zipPieces(
        [0, 1, 2].map(i => ({ name: `m${i}`, data: [data(40 + i)] })),
        { limit: 41 },
      ),
    )
    const members = unzip(archive, 'x')
    expect([...members.values()].map(member => member.length)).toEqual([40, 41, 42])
  })
  test('has the CRC-32 of the standard', () => {
    expect(crc32([new TextEncoder().encode('1234'), new TextEncoder().encode('56789')])).toBe(0xcbf43926)
  })
})

test('a state dict keeps shapes, scalars and whole numbers', () => {
  const pieces = stateDictPieces({
    w: { shape: [2, 300], data: Float32Array.from({ length: 600 }, (_, i) => i / 7) },
    k: { shape: [], data: Int32Array.of(-3) },
    groups: { shape: [2], data: BigInt64Array.of(5n, 70_000n) },
  })
  const back = parseStateDict(new Uint8Array(Buffer.concat(pieces)), 'x')
  expect(back.get('w')).toEqual({ shape: [2, 300], data: Float32Array.from({ length: 600 }, (_, i) => i / 7) })
  expect(back.get('k')).toEqual({ shape: [], data: Float32Array.of(-3) })
  expect([...back.get('groups')!.data]).toEqual([5, 70_000])
})

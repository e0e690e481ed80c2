import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FaultError } from '../../core/errors.ts'
import { hashPath } from '../../core/hash.ts'
import { silent } from '../../core/progress.ts'
import { memoryMetrics, type StageContext } from '../../core/stage.ts'
import { startEngine } from '../../engine/engine.ts'
import { tf } from '../../engine/tf.ts'
import { loadSae, loadSparsity } from '../formats/saelens.ts'
import { TrainConfig, type TrainInput } from './config.ts'
import { plantedCapture } from './planted.fixture.ts'
import { trainSae, trainSaes } from './train.ts'
import type { FidelityProbe } from './training.ts'

let folder: string
beforeAll(async () => {
  await startEngine()
  folder = await mkdtemp(join(tmpdir(), 'sae-train-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const capture = plantedCapture({ rows: 3000, width: 8, features: 16, active: 2, seed: 1 })
const small: TrainInput = { latents: 24, k: 2, batchTokens: 256, epochs: 4, learningRate: 0.005, checkpointEvery: 10 }

let count = 0
function contextIn(directory = join(folder, `run-${count++}`), options: Partial<StageContext> = {}) {
  const metrics = memoryMetrics()
  return { directory, seed: 3, progress: silent, signal: new AbortController().signal, metrics, ...options }
}

const train = (context: StageContext, input: TrainInput) =>
  trainSae(context, { capture, config: TrainConfig.parse(input) as TrainConfig })

/** Stops the stage once it has written its nth line of metrics, as Ctrl-C would. */
function interruptedAfter(lines: number, directory: string) {
  const abort = new AbortController()
  const metrics = memoryMetrics()
  const append = metrics.append.bind(metrics)
  metrics.append = record => {
    append(record)
    if (metrics.lines === lines) abort.abort()
  }
  return contextIn(directory, { metrics, signal: abort.signal })
}

describe('a training run', () => {
  test('learns planted features: little is left unexplained and no more than k latents fire', async () => {
    const context = contextIn()
    const summary = await train(context, { ...small, epochs: 12, learningRate: 0.01, validationRows: 500 })
    expect(summary.measuredOn).toBe('validation rows')
    expect(summary.fvu).toBeLessThan(0.15)
    expect(summary.l0).toBeLessThanOrEqual(2)
    expect(Object.keys((context.metrics as ReturnType<typeof memoryMetrics>).records[0]!)).toEqual(
      expect.arrayContaining([
        'step',
        'tokens',
        'loss',
        'reconstruction',
        'fvu',
        'l0',
        'dead',
        'gradientNorm',
        'learningRate',
      ]),
    )
  })

  test('leaves an SAE that loads, with where it belongs and how it was trained', async () => {
    const context = contextIn()
    const before = tf.memory().numTensors
    await train(context, small)
    expect((await readdir(context.directory)).sort()).toEqual([
      'cfg.json',
      'sae_weights.safetensors',
      'sparsity.safetensors',
    ])
    const sae = await loadSae(context.directory)
    expect(sae).toMatchObject({ architecture: 'topk', width: 8, latents: 24, metadata: { hook_name: 'site' } })
    expect(sae.metadata.pipeline).toMatchObject({ settings: { k: 2 }, steps: 46, training: { learningRate: 0.005 } })
    expect(await loadSparsity(context.directory)).toHaveLength(24)
    sae.dispose()
    expect(tf.memory().numTensors).toBe(before)
  })

  test('gives the same bytes for the same seed, and others for another', async () => {
    const [a, b, c] = [contextIn(), contextIn(), contextIn(undefined, { seed: 4 })]
    await train(a, small)
    await train(b, small)
    await train(c, small)
    expect(await hashPath(b.directory)).toBe(await hashPath(a.directory))
    expect(await hashPath(c.directory)).not.toBe(await hashPath(a.directory))
  })

  test.each(process.env.PIPELINE_LONG ? ['topk', 'batchtopk'] : ['batchtopk'])(
    'cut and resumed, %s ends in the bytes of an uninterrupted run',
    async architecture => {
      const config = { ...small, architecture: architecture as 'topk', logEvery: 1, deadAfterTokens: 512, kAnneal: 10 }
      const whole = contextIn()
      await train(whole, config)
      for (const lines of process.env.PIPELINE_LONG ? [1, 17, 40] : [17]) {
        const directory = join(folder, `cut-${architecture}-${lines}`)
        await expect(train(interruptedAfter(lines, directory), config)).rejects.toThrow('Training stopped after step')
        const resumed = contextIn(directory)
        await train(resumed, config)
        expect(await hashPath(directory)).toBe(await hashPath(whole.directory))
      }
    },
  )

  test('a damaged checkpoint is passed over for the one before, with a notice, to the same end', async () => {
    const config = { ...small, logEvery: 1 }
    const whole = contextIn()
    await train(whole, config)
    const directory = join(folder, 'damaged')
    await expect(train(interruptedAfter(35, directory), config)).rejects.toThrow()
    const [newest] = (await readdir(join(directory, 'checkpoints')))
      .filter(name => name.endsWith('.safetensors'))
      .sort()
      .reverse()
    const path = join(directory, 'checkpoints', newest!)
    const bytes = await readFile(path)
    bytes[bytes.length - 5]! ^= 1
    await writeFile(path, bytes)
    const notes: string[] = []
    await train(contextIn(directory, { progress: { ...silent, note: line => notes.push(line) } }), config)
    expect(notes.join()).toContain('The checkpoint of step 35 is damaged and is passed over')
    expect(await hashPath(directory)).toBe(await hashPath(whole.directory))
  })

  test('metrics go back to the checkpoint, so that no step is logged twice', async () => {
    const config = { ...small, logEvery: 1 }
    const directory = join(folder, 'metrics')
    const cut = interruptedAfter(23, directory)
    await expect(train(cut, config)).rejects.toThrow()
    const resumed = contextIn(directory, { metrics: cut.metrics })
    await train(resumed, config)
    const { records } = resumed.metrics as ReturnType<typeof memoryMetrics>
    expect(records.map(record => record.step)).toEqual(Array.from({ length: 46 }, (_, i) => i))
  })
})

describe('metrics', () => {
  const recordsOf = ({ metrics }: StageContext) => (metrics as ReturnType<typeof memoryMetrics>).records

  test('say how dense latents are since the line before, and how far the running threshold moved', async () => {
    const context = contextIn()
    await train(context, { ...small, architecture: 'batchtopk', logEvery: 5, epochs: 2 })
    const records = recordsOf(context)
    for (const { densityHistogram } of records)
      expect((densityHistogram as number[]).reduce((sum, count) => sum + count)).toBe(24)
    expect(records[0]).not.toHaveProperty('thresholdChange')
    const [, before, after] = records as Record<string, number>[]
    expect(after!.thresholdChange).toBeCloseTo(Math.abs(after!.threshold! - before!.threshold!), 6)
  })

  test('give mean, range and movement of thresholds that are learned', async () => {
    const context = contextIn()
    await train(context, { ...small, k: undefined, architecture: 'jumprelu', targetL0: 2, logEvery: 5, epochs: 1 })
    const last = recordsOf(context).at(-1) as Record<string, number>
    expect(last.thresholdMin).toBeGreaterThan(0)
    expect(last.thresholdMean).toBeGreaterThanOrEqual(last.thresholdMin!)
    expect(last.thresholdMax).toBeGreaterThanOrEqual(last.thresholdMean!)
    expect(last.thresholdChange).toBeGreaterThan(0)
  })

  test.each([{ architecture: 'batchtopk' }, { architecture: 'jumprelu', k: undefined, targetL0: 2 }])(
    'are the same lines when the run was cut between two of them: %o',
    async own => {
      const config = { ...small, ...own, logEvery: 7, checkpointEvery: 3, epochs: 2 } as TrainInput
      const whole = contextIn()
      await train(whole, config)
      const directory = join(folder, `lines-${own.architecture}`)
      const cut = interruptedAfter(2, directory)
      await expect(train(cut, config)).rejects.toThrow('Training stopped after step 8')
      const resumed = contextIn(directory, { metrics: cut.metrics })
      await train(resumed, config)
      expect(recordsOf(resumed)).toEqual(recordsOf(whole))
    },
  )
})

describe('fidelity', () => {
  /** A probe that gives the SAE's first weight, so that it shows which weights it was given. */
  const probe: FidelityProbe = {
    measure: async sae => ({ ceLoss: (sae.params.W_dec!.dataSync() as Float32Array)[0]!, ceRecovered: null }),
  }
  const config: TrainInput = { ...small, fidelity: { every: 4 }, epochs: 1, logEvery: 10, checkpointEvery: 5 }
  const measured = (context: StageContext, input = config) =>
    trainSae(context, {
      capture,
      config: TrainConfig.parse(input) as TrainConfig,
      fidelity: async site => (site === 'site' ? probe : Promise.reject(new Error(site))),
    })
  const lines = ({ metrics }: StageContext) =>
    (metrics as ReturnType<typeof memoryMetrics>).records.flatMap(({ step, ceLoss }) =>
      ceLoss === undefined ? [] : [[step, ceLoss]],
    )

  test('is measured every so many steps and after the last, on the weights as they would be saved', async () => {
    const context = contextIn()
    const before = tf.memory().numTensors
    const summary = await measured(context)
    expect(lines(context).map(([step]) => step)).toEqual([3, 7, 10])
    expect(tf.memory().numTensors).toBe(before)
    const saved = await loadSae(context.directory)
    const [first] = saved.params.W_dec!.dataSync() as Float32Array
    saved.dispose()
    expect(lines(context).at(-1)![1]).toBe(first)
    expect(summary).toMatchObject({ ceLoss: first, ceRecovered: null })
  })

  test('changes nothing in the SAE, and a resumed run measures the same', async () => {
    const [plain, whole] = [contextIn(), contextIn()]
    await measured(plain, { ...config, fidelity: undefined })
    const summary = await measured(whole)
    expect(await hashPath(whole.directory)).toBe(await hashPath(plain.directory))
    const cut = interruptedAfter(3, join(folder, 'fidelity'))
    await expect(measured(cut)).rejects.toThrow('Training stopped')
    const resumed = contextIn(join(folder, 'fidelity'), { metrics: cut.metrics })
    expect(await measured(resumed)).toEqual(summary)
    expect(lines(resumed)).toEqual(lines(whole))
  })

  test('needs an SAE that takes the place of what it reads', async () => {
    const input: TrainInput = { ...config, k: 2, architecture: 'crosscoder' }
    await expect(measured(contextIn(), input)).rejects.toThrow('and a crosscoder has no such place.')
  })
})

describe('time', () => {
  test('is told apart from the files: what went to waiting for rows, and the rate', async () => {
    let facts: Readonly<Record<string, number>> = {}
    const lines: string[] = []
    const timing = (found: typeof facts) => {
      facts = found
    }
    const progress = { ...silent, finish: (line?: string) => lines.push(line ?? '') }
    const [timed, plain] = [contextIn(undefined, { timing, progress }), contextIn()]
    await train(timed, small)
    await train(plain, small)
    expect(facts.dataWaitShare).toBeGreaterThan(0)
    expect(facts.dataWaitShare).toBeLessThan(1)
    expect(facts.tokensPerSecond).toBeGreaterThan(0)
    expect(lines.join()).toMatch(/waited \d+\.\d % of the time for data/)
    expect(await hashPath(timed.directory)).toBe(await hashPath(plain.directory))
  })

  test('that a slow disk takes counts as waiting', async () => {
    let share = 0
    const slow = {
      ...capture,
      readRange: async (...args: Parameters<typeof capture.readRange>) => {
        await sleep(60)
        return capture.readRange(...args)
      },
    }
    const context = contextIn(undefined, {
      timing: ({ dataWaitShare }) => {
        share = dataWaitShare!
      },
    })
    // Two blocks a pool: every other step waits for a pool.
    const config = TrainConfig.parse({ ...small, epochs: 1, memory: (4 * 256 * 8 * 4) / 2 ** 30 }) as TrainConfig
    await trainSae(context, { capture: slow, config })
    expect(share).toBeGreaterThan(0.3)
  })
})

describe('several SAEs at once', () => {
  const grid: TrainInput[] = [
    { ...small },
    { ...small, k: 4, seed: 9 },
    { ...small, architecture: 'batchtopk', latents: 16 },
    { ...small, epochs: 2 },
    { ...small, orderSeed: 7 },
  ]
  const jobs = (directories: string[]) =>
    grid.map((input, i) => ({ context: contextIn(directories[i]), config: TrainConfig.parse(input) as TrainConfig }))

  test('each ends in the bytes it has when trained alone, though the rows are read once', async () => {
    const before = tf.memory().numTensors
    let reads = 0
    const counted = {
      ...capture,
      readRange(...args: Parameters<typeof capture.readRange>) {
        reads++
        return capture.readRange(...args)
      },
    }
    const together = jobs(grid.map((_, i) => join(folder, `together-${i}`)))
    const summaries = await trainSaes(together, counted)
    expect(summaries.map(({ architecture, latents }) => [architecture, latents])).toEqual([
      ['topk', 24],
      ['topk', 24],
      ['batchtopk', 16],
      ['topk', 24],
      ['topk', 24],
    ])
    // Two orders, a pass each; and each finished SAE is measured on rows as they lie.
    expect(reads).toBeLessThanOrEqual(2 + grid.length * Math.ceil(3000 / 256))
    for (const [i, { context, config }] of jobs(grid.map((_, i) => join(folder, `alone-${i}`))).entries()) {
      await trainSae(context, { capture, config })
      expect(await hashPath(together[i]!.context.directory)).toBe(await hashPath(context.directory))
    }
    expect(tf.memory().numTensors).toBe(before)
  })

  test('each is handed over as soon as it is whole, the shorter before the longer', async () => {
    const order: number[] = []
    const pair = jobs([3, 0].map(i => join(folder, `early-${i}`))).slice(0, 2)
    pair[0] = { ...pair[0]!, config: TrainConfig.parse({ ...small, epochs: 4 }) as TrainConfig }
    pair[1] = { ...pair[1]!, config: TrainConfig.parse({ ...small, epochs: 2 }) as TrainConfig }
    const done = pair.map((job, i) => ({
      ...job,
      finished: async () => {
        order.push(i)
        expect(await readdir(job.context.directory)).not.toContain('checkpoints')
      },
    }))
    await trainSaes(done, capture)
    expect(order).toEqual([1, 0])
  })

  test('an error names the one it is about', async () => {
    const [job] = jobs([join(folder, 'wrong')])
    const wrong = [{ ...job!, label: 'k 99', config: TrainConfig.parse({ ...small, k: 99 }) as TrainConfig }]
    await expect(trainSaes(wrong, capture)).rejects.toThrow('SAE k 99: k must be at most latents')
    const unknown = [{ ...job!, label: 'site a', config: TrainConfig.parse({ ...small, site: 'a' }) as TrainConfig }]
    await expect(trainSaes(unknown, capture)).rejects.toThrow('SAE site a: The capture has no site a.')
  })

  test('a fault that may pass stays one, so that the runs are kept', async () => {
    const [job] = jobs([join(folder, 'fault')])
    const asking = { ...job!, label: 'a', config: TrainConfig.parse({ ...small, fidelity: {} }) as TrainConfig }
    const fidelity = () => Promise.reject(new FaultError('No network.'))
    await expect(trainSaes([asking], capture, { fidelity })).rejects.toBeInstanceOf(FaultError)
  })

  test('cut together, they resume together', async () => {
    const directories = grid.map((_, i) => join(folder, `both-${i}`))
    const cut = jobs(directories).slice(0, 2)
    cut[1] = { ...cut[1]!, context: interruptedAfter(3, directories[1]!) }
    await expect(trainSaes(cut, capture)).rejects.toThrow('Training stopped after step 21')
    await trainSaes(jobs(directories).slice(0, 2), capture)
    expect(await hashPath(directories[1]!)).toBe(await hashPath(join(folder, 'alone-1')))
  })
})

describe('input scaling', () => {
  test('is folded: the saved SAE reads rows as they were captured', async () => {
    const context = contextIn()
    const summary = await train(context, { ...small, epochs: 15, inputScale: 10, learningRate: 0.02 })
    expect(summary.fvu).toBeLessThan(0.15)
  })
})

test('more rows a step than there are to learn from are told, and are one step', async () => {
  const notes: string[] = []
  const context = contextIn(undefined, { progress: { ...silent, note: text => notes.push(text) } })
  const summary = await train(context, { ...small, batchTokens: 5000, epochs: 1 })
  expect(summary.steps).toBe(1)
  expect(notes.filter(note => note.includes('batchTokens'))).toEqual([
    'A step reads 3,000 rows, not 5,000 (batchTokens): no more are to be learned from, so that there is one step.',
  ])
})

describe('bad input', () => {
  const refused = (input: TrainInput) => expect(train(contextIn(), { ...small, ...input })).rejects
  test('a site the capture does not have', () => refused({ site: 'sight' }).toThrow('The capture has no site sight.'))
  test('a key of another architecture', () =>
    refused({ architecture: 'topk', thresholdRate: 0.1 }).toThrow(
      'thresholdRate does not apply to the architecture topk',
    ))
  test('k larger than the dictionary', () =>
    refused({ k: 25 }).toThrow('k must be at most latents, but k is 25 and latents is 24.'))
  test('more rows kept back than there are', () =>
    refused({ validationRows: 3000 }).toThrow('The capture has 3000 rows, and validationRows is 3000.'))
  test('NaN in the activations', async () => {
    const broken = {
      ...capture,
      readRange: async (...args: Parameters<typeof capture.readRange>) =>
        (await capture.readRange(...args)).fill(Number.NaN, 0, 1),
    }
    const run = trainSae(contextIn(), { capture: broken, config: TrainConfig.parse(small) as TrainConfig })
    await expect(run).rejects.toThrow('The activations hold NaN or infinite values: NaN at site in row 0.')
  })
  test('an infinity in a later row, which is named with its shard', async () => {
    const rows = await capture.readRange('site', 0, capture.rows)
    rows[2100 * 8 + 3] = Number.NEGATIVE_INFINITY
    const broken = {
      rows: capture.rows,
      sites: capture.sites,
      readRange: async (_: string, start: number, count: number) => rows.slice(start * 8, (start + count) * 8),
      placeOf: (row: number) => `row ${row - 2000} of shard-00001.arrow`,
    }
    const run = trainSae(contextIn(), { capture: broken, config: TrainConfig.parse(small) as TrainConfig })
    await expect(run).rejects.toThrow(/infinite values: -Infinity at site in row 100 of shard-00001\.arrow\.$/)
  })
  test.each([0, 3])('rows that are all %d', async value => {
    const equal = {
      ...capture,
      readRange: async (...args: Parameters<typeof capture.readRange>) =>
        (await capture.readRange(...args)).fill(value),
    }
    const run = trainSae(contextIn(), { capture: equal, config: TrainConfig.parse(small) as TrainConfig })
    await expect(run).rejects.toThrow(/site are the same in all \d+ rows/)
  })
  test('none of them leaves a tensor behind', async () => {
    const before = tf.memory().numTensors
    await refused({ k: 25 }).toThrow()
    expect(tf.memory().numTensors).toBe(before)
  })
})

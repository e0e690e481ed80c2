/**
 * What labelling takes beyond encoding: an SAE whose latents fire at random, with densities that fall off as ranks do, on random
 * text, described in full by the label stage. Gives seconds a thousand latents without the time of model and SAE, memory that
 * comes on top, and bytes on disk a latent.
 */
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { silent } from '../core/progress.ts'
import { Random } from '../core/random.ts'
import { memoryMetrics } from '../core/stage.ts'
import type { TokenDataset, TokenWindow } from '../datasets/document.ts'
import { startEngine } from '../engine/engine.ts'
import { type Tensor2D, tf } from '../engine/tf.ts'
import { LabelConfig } from '../labels/config.ts'
import { label } from '../labels/label.ts'
import type { Model } from '../model/model.ts'
import type { Sae, SparseLatents } from '../sae/sae.ts'
import { defineBench, type Teller } from './options.ts'
import { machine } from './workers.ts'

const site = 'blocks.0.hook_resid_post'
const length = 128

const Config = z.strictObject({
  latents: z.array(z.int().min(1)).nonempty().default([4096, 65_536]).describe('Latents of the SAEs that are labelled'),
  tokens: z.int().min(1).default(200_000).describe('Tokens of each of the two halves'),
  active: z.int().min(1).default(32).describe('Latents that fire at a token'),
  width: z.int().min(1).default(256).describe('Width of the residual'),
  vocabulary: z.int().min(16).default(8192).describe('Tokens of the vocabulary'),
})
type Config = z.output<typeof Config>

export default defineBench({
  about: 'Seconds a thousand latents that labelling takes beyond encoding, the memory it takes, and bytes a latent.',
  examples: ['npm run bench -- label', 'npm run bench -- label --latents 1000 --tokens 50000 --json'],
  config: Config,
  engine: 'tensorflow',
  run: measure,
})

const files = ['features.parquet', 'examples.parquet', 'features.jsonl']
/**
 * Times are for 1,000 latents, bytes for one; what a processor was busy does not depend on what else runs. Memory is what comes on
 * top of model and SAE, and the peak of the whole process.
 */
const columns = ['latents', 's / 1,000', 'processor s', 'memory MB', 'peak MB', 'tables B', 'lines B']

/** Seconds that the processors were busy for this process since then. */
function processorSeconds(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1e6
}

async function measure(config: Config, tell: Teller): Promise<void> {
  await startEngine({ engine: 'tensorflow' })
  tell.line(machine())
  tell.line(
    `${config.tokens} tokens on each half, ${config.active} latents at a token, width ${config.width}, vocabulary ${config.vocabulary}`,
  )
  tell.line(columns.map(column => `  ${column}`).join(''))
  for (const latents of config.latents) {
    const directory = await mkdtemp(join(tmpdir(), 'bench-label-'))
    try {
      const { sae, model, spent } = randomParts(config, latents)
      const before = process.memoryUsage().rss
      let most = before
      const watch = setInterval(() => {
        most = Math.max(most, process.memoryUsage().rss)
      }, 50)
      const [start, processor] = [performance.now(), process.cpuUsage()]
      await label(
        { directory, seed: 1, progress: silent, signal: new AbortController().signal, metrics: memoryMetrics() },
        {
          ...{ model, sae, dataset: randomText(config) },
          tokenizer: { vocabulary: config.vocabulary, token: id => ` w${id}` },
          config: LabelConfig.parse({ sae: 'bench', tokens: config.tokens }),
        },
      )
      const seconds = (performance.now() - start) / 1000 - spent.seconds
      const busy = processorSeconds(processor) - spent.processor
      clearInterval(watch)
      most = Math.max(most, process.memoryUsage().rss)
      sae.dispose()
      const sizes = await Promise.all(files.map(async name => (await stat(join(directory, name))).size / latents))
      const found = {
        ...{
          latents,
          secondsPerThousand: (1000 * seconds) / latents,
          processorSecondsPerThousand: (1000 * busy) / latents,
        },
        ...{ memoryMegabytes: (most - before) / 1e6, peakMegabytes: most / 1e6 },
        ...{ tableBytesPerLatent: sizes[0]! + sizes[1]!, lineBytesPerLatent: sizes[2]! },
      }
      tell.result(found)
      const { secondsPerThousand, processorSecondsPerThousand, memoryMegabytes, peakMegabytes, ...bytes } = found
      const cells = [
        ...[String(latents), secondsPerThousand.toFixed(1), processorSecondsPerThousand.toFixed(1)],
        ...[memoryMegabytes, peakMegabytes, bytes.tableBytesPerLatent, bytes.lineBytesPerLatent].map(value =>
          value.toFixed(0),
        ),
      ]
      tell.line(cells.map((cell, i) => cell.padStart(columns[i]!.length + 2)).join(''))
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  }
}

/** Text of random words, in two halves of as many windows. */
function randomText({ tokens, vocabulary }: Config): TokenDataset {
  const random = new Random('bench label text')
  const each = Math.ceil(tokens / length)
  const windows: TokenWindow[] = Array.from({ length: 2 * each }, (_, index) => ({
    ...{ id: `document-${index}`, index, split: index < each ? 'discovery' : 'validation' },
    tokens: Int32Array.from({ length }, () => Math.floor(vocabulary * random.uniform() ** 3)),
    documents: new Uint32Array(length).fill(index),
    offsets: Int32Array.from({ length }, (_, i) => i),
  }))
  const documents = windows.map(({ id }, i) => ({ id, strata: { language: ['en', 'de', 'fr', 'es'][i % 4]! } }))
  return { name: 'bench', documents, windows, hash: 'text', tokenizerHash: 'tokenizer', concepts: [] }
}

/** A model of zeros, and an SAE that fires at random; both count the time in them. */
function randomParts({ active, width, vocabulary }: Config, latents: number) {
  const random = new Random('bench label', latents)
  const decoder = tf.tensor2d(random.normals(latents * width), [latents, width])
  const unembedding = tf.tensor2d(random.normals(width * vocabulary), [width, vocabulary])
  const spent = { seconds: 0, processor: 0 }
  const counted = <T>(work: () => T): T => {
    const [start, processor] = [performance.now(), process.cpuUsage()]
    const value = work()
    spent.seconds += (performance.now() - start) / 1000
    spent.processor += processorSeconds(processor)
    return value
  }
  const encode = (x: Tensor2D) =>
    counted((): SparseLatents => {
      const rows = x.shape[0]
      const offsets = new Uint32Array(rows + 1)
      const indices: number[] = []
      for (let r = 0; r < rows; r++) {
        const chosen = new Set<number>()
        while (chosen.size < Math.min(active, latents)) chosen.add(Math.floor(latents * random.uniform() ** 2))
        indices.push(...[...chosen].sort((a, b) => a - b))
        offsets[r + 1] = indices.length
      }
      const values = Float32Array.from(indices, () => 0.1 + random.uniform())
      return { rows, latents, offsets, indices: Uint32Array.from(indices), values }
    })
  const sae = {
    ...{ architecture: 'topk', width, outputs: width, latents, config: {}, metadata: { hook_name: site }, params: {} },
    ...{ hash: 'bench', encode, decoder: () => decoder.clone() },
    dispose: () => tf.dispose([decoder, unembedding]),
  } as unknown as Sae
  const model = {
    hash: 'bench',
    run: (tokens: Tensor2D) => counted(() => tf.zeros([...tokens.shape, width])),
    unembedding: () => unembedding.clone(),
  } as unknown as Model
  return { sae, model, spent }
}

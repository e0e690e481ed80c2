/**
 * SAE quality at equal tokens (`npm run bench -- sae-quality`): architectures by sparsity on the rows of `protocol.ts`, 512
 * latents, four shuffled epochs of batches of 4096, nothing set but the architecture and its sparsity.
 *
 * With `--output DIR` each result is kept as it comes and not made again, so that a cut bench goes on where it was; at
 * the end `frontier.md` and `frontier.svg` are written there.
 */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readJson, writeAtomic, writeJson } from '../core/files.ts'
import { startEngine } from '../engine/engine.ts'
import type { Precision } from '../engine/settings.ts'
import { loadSae } from '../sae/formats/saelens.ts'
import { TrainConfig, type TrainInput } from '../sae/training/config.ts'
import { trainSae } from '../sae/training/train.ts'
import { frontierPlot } from './frontier-plot.ts'
import type { BenchOptions } from './options.ts'
import { benchContext, openProtocol, type Protocol, type Score } from './protocol.ts'

/** What other programs reach on the same rows (SAELens at learning rate 1e-3), 512 latents, k 16. */
const peers = [
  { name: 'SAELens BatchTopK', fvu: 0.071, ceRecovered: 0.9664 },
  { name: 'SAELens TopK', fvu: 0.0722, ceRecovered: 0.9656 },
  { name: 'sparsify', fvu: 0.085, ceRecovered: 0.9572 },
  { name: 'dictionary_learning', fvu: 0.0901, ceRecovered: 0.9545 },
]

/** Settings by which each architecture is brought to about `k` latents a row; an L1 penalty reaches a k by its weight. */
export const settings: Record<string, (k: number) => TrainInput> = {
  topk: k => ({ architecture: 'topk', k }),
  batchtopk: k => ({ architecture: 'batchtopk', k }),
  matryoshka: k => ({ architecture: 'matryoshka', k }),
  jumprelu: k => ({ architecture: 'jumprelu', targetL0: k }),
  gated: k => ({ architecture: 'gated', l1Coefficient: weightFor(k, [4, 0.58], [16, 0.265], [64, 0.085]) }),
  standard: k => ({ architecture: 'standard', l1Coefficient: weightFor(k, [4, 0.55], [16, 0.19], [64, 0.065]) }),
}

/** The penalty's weight for k latents a row, between [k, weight] that were found by trial; powers of k between them. */
function weightFor(k: number, ...found: readonly (readonly [number, number])[]): number {
  const [low, middle, high] = found.map(([at, weight]) => [Math.log(at), Math.log(weight)] as const)
  const [[x0, y0], [x1, y1]] = Math.log(k) < middle![0] ? [low!, middle!] : [middle!, high!]
  return Number(Math.exp(y0 + ((y1 - y0) * (Math.log(k) - x0)) / (x1 - x0)).toPrecision(2))
}

interface Result extends Score {
  readonly architecture: string
  readonly k: number
  readonly set: TrainInput
}

export async function saeQualityBench({
  architectures = ['topk', 'batchtopk'],
  k,
  epochs,
  output,
  precisions: [precision = 'float32'],
}: BenchOptions): Promise<void> {
  await startEngine({ precision: precision as Precision })
  const folder = output ?? (await mkdtemp(join(tmpdir(), 'sae-quality-')))
  await mkdir(folder, { recursive: true })
  const protocol = await openProtocol(folder)
  if (!protocol) return
  try {
    const { cleanLoss, meanAblatedLoss } = protocol
    console.log(`cross-entropy: clean ${cleanLoss.toFixed(4)}, mean-ablated ${meanAblatedLoss.toFixed(4)}`)
    for (const { name, fvu, ceRecovered } of peers)
      console.log(`at k 16, ${name.padEnd(20)} FVU ${fvu.toFixed(4)}  CE recovered ${ceRecovered}`)
    console.log('architecture    k   FVU     CE recovered   L0    dead %')
    const results: Result[] = []
    for (const architecture of architectures)
      for (const each of k) {
        const result = await resultOf(protocol, folder, precision, architecture, each, epochs)
        results.push(result)
        const { fvu, ceRecovered, l0, dead } = result
        console.log(
          `${architecture.padEnd(12)} ${String(each).padStart(4)}   ${fvu.toFixed(4)}  ${ceRecovered.toFixed(4)}` +
            `       ${l0.toFixed(1).padStart(5)}   ${(100 * dead).toFixed(1).padStart(5)}`,
        )
      }
    if (output) await writeFrontier(output, results)
  } finally {
    protocol.close()
    if (!output) await rm(folder, { recursive: true, force: true })
  }
}

/** Trains and scores one SAE, unless its result lies in `folder`. */
async function resultOf(
  protocol: Protocol,
  folder: string,
  precision: string,
  architecture: string,
  k: number,
  epochs: number,
): Promise<Result> {
  const set = settings[architecture]!(k)
  const name = `${architecture}-${k}-${epochs}${precision === 'float32' ? '' : `-${precision}`}`
  const path = join(folder, `${name}.json`)
  const kept = existsSync(path) ? ((await readJson(path, 'result')) as Result) : undefined
  if (kept && JSON.stringify(kept.set) === JSON.stringify(set)) return kept
  const directory = join(folder, name)
  const config = TrainConfig.parse({ latents: 512, epochs, ...set }) as TrainConfig
  await trainSae(benchContext(directory), { capture: protocol.rows, config })
  const sae = await loadSae(directory)
  const result = { architecture, k, set, ...protocol.score(sae) }
  sae.dispose()
  await rm(directory, { recursive: true })
  await writeJson(path, result)
  return result
}

/** The table and the plot of all results. */
async function writeFrontier(folder: string, results: readonly Result[]): Promise<void> {
  const names = [...new Set(results.map(({ architecture }) => architecture))]
  const lines = [
    '| architecture | set | L0 | FVU | CE recovered | dead |',
    '|---|---|---|---|---|---|',
    ...results.map(({ architecture, set: { architecture: _, ...set }, l0, fvu, ceRecovered, dead }) => {
      const [[key, value] = ['', '']] = Object.entries(set)
      return `| \`${architecture}\` | ${key} ${value} | ${l0.toFixed(1)} | ${fvu.toFixed(4)} | ${ceRecovered.toFixed(4)} | ${(100 * dead).toFixed(1)} % |`
    }),
  ]
  await writeAtomic(join(folder, 'frontier.md'), `${lines.join('\n')}\n`)
  const curves = names.map(name => ({
    name,
    points: results
      .filter(({ architecture }) => architecture === name)
      .map(({ l0, fvu }) => [l0, fvu] as const)
      .sort(([a], [b]) => a - b),
  }))
  const others = peers.map(({ name, fvu }) => ({ name, l0: 16, fvu }))
  await writeAtomic(
    join(folder, 'frontier.svg'),
    frontierPlot('stories260K, blocks.2.hook_resid_post, 512 latents', curves, others),
  )
}

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
import { z } from 'zod'
import { UserError } from '../core/errors.ts'
import { readJson, writeAtomic, writeJson } from '../core/files.ts'
import { startEngine } from '../engine/engine.ts'
import { precisions } from '../engine/settings.ts'
import { loadSae } from '../sae/formats/saelens.ts'
import { TrainConfig, type TrainInput } from '../sae/training/config.ts'
import { trainSae } from '../sae/training/train.ts'
import { frontierPlot } from './frontier-plot.ts'
import { defineBench, type Teller } from './options.ts'
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

interface Case {
  readonly architecture: string
  readonly k: number
  readonly epochs: number
  readonly precision: string
}

interface Result extends Score {
  readonly architecture: string
  readonly k: number
  readonly set: TrainInput
}

const Config = z.strictObject({
  architectures: z
    .array(z.enum(Object.keys(settings) as [string, ...string[]]))
    .nonempty()
    .default(['topk', 'batchtopk'])
    .describe('Architectures that are compared'),
  k: z.array(z.number().positive()).nonempty().default([16]).describe('Sparsities: latents a row'),
  epochs: z.int().min(1).default(4).describe('Times that the rows are learned from'),
  precision: z.enum(precisions).default('float32').describe('Precision of training'),
  output: z
    .string()
    .optional()
    .describe('Folder that keeps results as they come, and gets frontier.md and frontier.svg'),
})

export default defineBench({
  about:
    'Sparsity and fidelity of architectures at equal tokens, on activations of stories260K, with nothing set but the architecture and its sparsity. Needs ../shared/data.',
  examples: [
    'npm run bench -- sae-quality',
    'npm run bench -- sae-quality --architectures topk,gated --k 8,16 --output frontier/',
  ],
  config: Config,
  engine: 'auto',
  run: measure,
})

async function measure(
  { architectures, k, epochs, output, precision }: z.output<typeof Config>,
  tell: Teller,
): Promise<void> {
  await startEngine({ precision })
  const folder = output ?? (await mkdtemp(join(tmpdir(), 'sae-quality-')))
  await mkdir(folder, { recursive: true })
  const protocol = await openProtocol(folder)
  if (!protocol)
    throw new UserError('This benchmark needs the model stories260K and its text, which are not on this machine.', {
      fix: 'Put them into ../shared/data.',
    })
  try {
    const { cleanLoss, meanAblatedLoss } = protocol
    tell.line(`cross-entropy: clean ${cleanLoss.toFixed(4)}, mean-ablated ${meanAblatedLoss.toFixed(4)}`)
    for (const { name, fvu, ceRecovered } of peers)
      tell.line(`at k 16, ${name.padEnd(20)} FVU ${fvu.toFixed(4)}  CE recovered ${ceRecovered}`)
    tell.line('architecture    k   FVU     CE recovered   L0    dead %')
    const results: Result[] = []
    for (const architecture of architectures)
      for (const each of k) {
        const result = await resultOf(protocol, folder, { architecture, k: each, epochs, precision })
        results.push(result)
        tell.result({ benchmark: 'sae-quality', epochs, precision, ...result })
        const { fvu, ceRecovered, l0, dead } = result
        tell.line(
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
  { architecture, k, epochs, precision }: Case,
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

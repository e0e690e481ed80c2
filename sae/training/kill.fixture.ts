/**
 * Trainings that tests cut: one of every architecture, and one of every schedule or running number that a checkpoint has to
 * bring back. `node --import tsx sae/training/kill.fixture.ts DIRECTORY VARIANT PAUSE PRECISION` runs one and says each step it
 * logs, with a pause of so many milliseconds after each.
 */
import { type Progress, silent } from '../../core/progress.ts'
import { memoryMetrics } from '../../core/stage.ts'
import { startEngine } from '../../engine/engine.ts'
import type { Precision } from '../../engine/settings.ts'
import { architectureNames, architectureOf } from '../architectures/index.ts'
import { TrainConfig, type TrainInput } from './config.ts'
import { plantedCapture } from './planted.fixture.ts'
import { trainSae } from './train.ts'

/** Steps of every training here, and the steps between its checkpoints. */
export const steps = 14
export const checkpointEvery = 3

const small = { latents: 24, k: 2 }
const own: Readonly<Record<string, TrainInput>> = {
  topk: small,
  abstopk: small,
  'matching-pursuit': small,
  batchtopk: small,
  matryoshka: { ...small, widths: [6] },
  transcoder: small,
  'skip-transcoder': small,
  crosscoder: small,
  'cross-layer': { latents: 12, k: 2 },
}

/** Each architecture as it comes. */
const plain: Record<string, TrainInput> = Object.fromEntries(
  architectureNames.map(name => [name, { architecture: name, latents: 24, ...own[name] }]),
)

/** Whatever else changes from step to step. */
const special: Record<string, TrainInput> = {
  'k-annealing': { architecture: 'topk', ...small, kAnneal: 10, kFrom: 8 },
  'k-annealing of batches': { architecture: 'batchtopk', ...small, kAnneal: 10, kFrom: 8 },
  'sparsity warm-up': { architecture: 'standard', latents: 24, sparsityWarmUp: 9 },
  'sparsity warm-up of JumpReLU': { architecture: 'jumprelu', latents: 24, sparsityWarmUp: 9 },
  'a threshold that starts late': { architecture: 'batchtopk', ...small, thresholdFrom: 5, thresholdStart: 'first' },
  'cosine schedule, warm-up, clipping': {
    architecture: 'topk',
    ...small,
    schedule: 'cosine',
    warmUp: 4,
    gradientClip: 0.5,
  },
  AdamW: { architecture: 'batchtopk', ...small, optimiser: 'adamw', weightDecay: 0.1 },
  signum: { architecture: 'topk', ...small, optimiser: 'signum' },
  'scaled input, decoder normed before': {
    architecture: 'topk',
    ...small,
    inputScale: 'mean-norm',
    decoderNorm: 'unit-before',
  },
  'rows shuffled in two levels': { architecture: 'topk', ...small, memory: 1e-5 },
  'the preset of SAELens': { architecture: 'matryoshka', preset: 'saelens', latents: 24, k: 2, widths: [6] },
  'the preset of dictionary_learning': { architecture: 'batchtopk', preset: 'dictionary_learning', latents: 24, k: 2 },
  'the preset of sparsify': { architecture: 'topk', preset: 'sparsify', latents: 24, k: 2 },
}

export const variants: Readonly<Record<string, TrainInput>> = { ...plain, ...special }

/** Settings of a variant; dead latents come early, so that auxiliary losses take part. */
export function configOf(variant: string, more: TrainInput = {}): TrainConfig {
  const { reads } = architectureOf(String(variants[variant]!.architecture))
  const sites =
    reads === 'site'
      ? {}
      : reads === 'target'
        ? { site: 'a', target: 'b' }
        : { sites: ['a', 'b'], ...(reads === 'layers' ? { targets: ['b', 'a'] } : {}) }
  return TrainConfig.parse({
    ...(reads === 'site' ? { site: 'a' } : sites),
    batchTokens: 128,
    tokens: 128 * steps,
    checkpointEvery,
    logEvery: 1,
    deadAfterTokens: 256,
    ...variants[variant],
    ...more,
  }) as TrainConfig
}

const capture = plantedCapture({ rows: 700, width: 8, features: 16, active: 2, seed: 1, sites: ['a', 'b'] })

/** Trains a variant into a directory, telling of every logged step; what `onStep` throws cuts it there. */
export async function trainInto(
  directory: string,
  config: TrainConfig,
  options: { onStep?: (step: number) => void; metrics?: ReturnType<typeof memoryMetrics>; progress?: Progress } = {},
): Promise<void> {
  const { onStep, metrics = memoryMetrics(), progress = silent } = options
  await trainSae(
    {
      directory,
      seed: 3,
      progress,
      signal: new AbortController().signal,
      metrics: {
        get lines() {
          return metrics.lines
        },
        truncate: lines => metrics.truncate(lines),
        append(record) {
          metrics.append(record)
          onStep?.(record.step as number)
        },
      },
    },
    { capture, config },
  )
}

if (process.argv[1]?.endsWith('kill.fixture.ts')) {
  const [, , directory, variant, pause, precision] = process.argv
  await startEngine({ precision: precision as Precision })
  const sleeper = new Int32Array(new SharedArrayBuffer(4))
  const onStep = (step: number) => {
    process.stdout.write(`${step}\n`)
    Atomics.wait(sleeper, 0, 0, Number(pause))
  }
  await trainInto(directory!, configOf(variant!), { onStep })
}

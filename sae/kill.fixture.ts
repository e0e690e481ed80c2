/** A training that a test kills: `node --import tsx sae/kill.fixture.ts DIRECTORY` says each step it logs. */
import { silent } from '../core/progress.ts'
import { memoryMetrics } from '../core/stage.ts'
import { startEngine } from '../engine/engine.ts'
import { TrainConfig } from './config.ts'
import { plantedCapture } from './planted.ts'
import { trainSae } from './train.ts'

/** The training, told of every logged step. */
export async function trainInto(directory: string, onStep: (step: number) => void): Promise<void> {
  const metrics = memoryMetrics()
  const append = metrics.append.bind(metrics)
  metrics.append = record => {
    append(record)
    onStep(record.step as number)
  }
  const capture = plantedCapture({ rows: 3000, width: 8, features: 16, active: 2, seed: 1 })
  const config = TrainConfig.parse({
    architecture: 'matryoshka',
    latents: 24,
    k: 2,
    widths: [6],
    batchTokens: 256,
    epochs: 5,
    checkpointEvery: 7,
    logEvery: 1,
    deadAfterTokens: 512,
  }) as TrainConfig
  await trainSae(
    { directory, seed: 3, progress: silent, signal: new AbortController().signal, metrics },
    { capture, config },
  )
}

if (process.argv[1]?.endsWith('kill.fixture.ts')) {
  await startEngine()
  await trainInto(process.argv[2]!, step => process.stdout.write(`${step}\n`))
}

/**
 * Trains the built-in model on toyworld: `npm run train:toyworld`.
 *
 * Seeded and resumable: a checkpoint holds weights and moments, and each step's windows depend on the step alone.
 * Ends by writing the model; evaluate.ts then measures it and writes its README (`--readme`).
 */
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { writeJson } from '../../core/files.ts'
import { tokenizerConfigJson, tokenizerJson } from '../../datasets/toyworld/index.ts'
import { startEngine } from '../../engine/engine.ts'
import { openSafetensors, writeSafetensors } from '../../engine/safetensors.ts'
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../../engine/tf.ts'
import { buildModel } from '../../model/build.ts'
import { tokenLoss } from '../../model/loss.ts'
import { packedBatch, trainingSeed } from './batches.ts'
import { initialWeights, modelConfig } from './initial.ts'
import { optimiserStep, zeroMoments } from './optimiser.ts'

const { values: flags } = parseArgs({
  options: {
    steps: { type: 'string', default: '2000' },
    'learning-rate': { type: 'string', default: '0.003' },
    seed: { type: 'string', default: '0' },
    precision: { type: 'string', default: 'bf16' },
    'save-every': { type: 'string', default: '250' },
    /** Where checkpoints are kept. */
    work: { type: 'string', default: 'runs/toyworld-training' },
    /** Where the trained model goes. */
    out: { type: 'string', default: 'datasets/toyworld/model' },
  },
})
const steps = Number(flags.steps)
const peakRate = Number(flags['learning-rate'])
const saveEvery = Number(flags['save-every'])
const warmUp = Math.min(200, steps / 10)

/**
 * Windows grow as training goes on: in short ones few words compete for attention, so that it wakes sooner (and they
 * cost less); the last part learns all positions. Each step reads 4,096 tokens.
 */
function windowLength(step: number): number {
  return step <= 0.4 * steps ? 32 : step <= 0.7 * steps ? 64 : 128
}
const tokensPerStep = 4096

/** Linear warm-up, then half a cosine down to a hundredth. */
function learningRate(step: number): number {
  if (step <= warmUp) return (peakRate * step) / warmUp
  const done = (step - warmUp) / (steps - warmUp)
  return peakRate * (0.01 + 0.99 * 0.5 * (1 + Math.cos(Math.PI * done)))
}

type Variables = Record<string, ReturnType<typeof tf.variable>>

const saved = async (variables: Variables) =>
  Object.fromEntries(
    await Promise.all(
      Object.entries(variables).map(
        async ([name, value]) => [name, { shape: value.shape, data: (await value.data()) as Float32Array }] as const,
      ),
    ),
  )

/** Loads a checkpoint into the variables; returns the steps it has behind it. */
async function resume(path: string, variables: Variables): Promise<number> {
  if (!existsSync(path)) return 0
  const file = await openSafetensors(path)
  try {
    for (const [name, variable] of Object.entries(variables)) {
      const value = tf.tensor(await file.read(name), file.shape(name))
      variable.assign(value)
      value.dispose()
    }
    return Number(file.metadata.step)
  } finally {
    await file.close()
  }
}

async function writeModel(directory: string, weights: Variables): Promise<void> {
  await writeJson(join(directory, 'config.json'), modelConfig)
  await writeJson(join(directory, 'tokenizer.json'), tokenizerJson())
  await writeJson(join(directory, 'tokenizer_config.json'), tokenizerConfigJson())
  await writeSafetensors(join(directory, 'model.safetensors'), await saved(weights), { format: 'pt' })
}

async function main(): Promise<void> {
  const precision = flags.precision === 'float32' ? 'float32' : 'bf16'
  const engine = await startEngine({ precision })
  console.log(`${engine.name} ${engine.version}, ${engine.precision}, ${engine.threads} threads`)
  const weights = initialWeights(Number(flags.seed))
  const moments = zeroMoments(weights)
  const model = buildModel(modelConfig, weights, { path: 'toyworld', hash: 'in training' })
  const checkpoint = join(flags.work, 'checkpoint.safetensors')
  const first = await resume(checkpoint, { ...weights, ...moments })
  if (first > 0) console.log(`going on after step ${first}`)

  let since = performance.now()
  for (let step = first + 1; step <= steps; step++) {
    const length = windowLength(step)
    const rows = tokensPerStep / length
    const batch = packedBatch(trainingSeed, step, rows, length)
    const [loss, norm] = tf.tidy(() => {
      const tokens = tf.tensor2d(batch, [rows, length], 'int32')
      const objective = () => tokenLoss(model.run(tokens) as Tensor3D, tokens as Tensor2D).mean()
      const { value, grads } = tf.variableGrads(objective as () => ReturnType<typeof tf.scalar>, Object.values(weights))
      const byName = Object.fromEntries(Object.entries(weights).map(([name, weight]) => [name, grads[weight.name]!]))
      const rate = learningRate(step)
      return [value as Tensor, optimiserStep(weights, moments, byName, { step, learningRate: rate })] as const
    })
    if (step % 25 === 0 || step === steps) {
      const seconds = (performance.now() - since) / 1000 / 25
      since = performance.now()
      console.log(
        `step ${step}/${steps}  loss ${loss.dataSync()[0]!.toFixed(4)}  norm ${norm.dataSync()[0]!.toFixed(3)}  ` +
          `rate ${learningRate(step).toExponential(2)}  ${seconds.toFixed(3)} s/step`,
      )
    }
    tf.dispose([loss, norm])
    if (step % saveEvery === 0 && step < steps)
      await writeSafetensors(checkpoint, await saved({ ...weights, ...moments }), { step: `${step}` })
  }
  await writeModel(flags.out, weights)
  tf.dispose([weights, moments])
  await rm(checkpoint, { force: true })
  console.log(
    `The model is in ${flags.out}; measure it with npx tsx pipeline/toyworld/evaluate.ts --model ${flags.out}`,
  )
}

await main()

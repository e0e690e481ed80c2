/**
 * Replays recorded training steps of another library: same weights, same batches, same losses, same end.
 *
 * A reference is a safetensors file beside a JSON of the same name: `x` [step, row, width], `y` for SAEs that predict
 * another site, `init.*`, `final.*`, `loss.*` and sometimes `grad0.*`. The JSON names library, architecture and settings.
 */
import { readJson } from '../../core/files.ts'
import { openSafetensors } from '../../engine/safetensors.ts'
import { type Tensor, type Tensor2D, tf } from '../../engine/tf.ts'
import type { Architecture } from '../architecture.ts'
import { fusedStepper } from '../step/fused/index.ts'
import { Stepper } from '../step/step.ts'
import { replayPlan } from './plans.ts'

/** How far a replay is from its reference; relative to the largest value of each tensor, or to each loss. */
export interface TrainingComparison {
  readonly reference: string
  readonly architecture: string
  /** Which step replayed it. */
  readonly step: 'plain' | 'fused'
  readonly steps: number
  /** Largest relative difference by loss name; each step's loss is compared with the recorded one. */
  readonly losses: Record<string, number>
  /** Largest relative difference by weight name after the last step. */
  readonly weights: Record<string, number>
  /** The largest of them all. */
  readonly largest: number
}

/**
 * Replays the reference at `path` (`….safetensors`) and compares every loss and every final weight. `fused` replays it by the
 * fused step where there is one for it.
 */
export async function verifyTraining(path: string, { fused = false } = {}): Promise<TrainingComparison> {
  const description = (await readJson(path.replace(/\.safetensors$/, '.json'), 'training reference')) as Record<
    string,
    unknown
  >
  const file = await openSafetensors(path)
  try {
    const tensors = new Map<string, { shape: number[]; data: Float32Array }>()
    for (const name of file.names) tensors.set(name, { shape: file.shape(name), data: await file.read(name) })
    return replay(path, description, tensors, fused)
  } finally {
    await file.close()
  }
}

type Stored = Map<string, { shape: number[]; data: Float32Array }>

function replay(
  path: string,
  description: Record<string, unknown>,
  stored: Stored,
  fused: boolean,
): TrainingComparison {
  const plan = replayPlan(description, name => stored.get(name)!)
  const [steps, rows, width] = stored.get('x')!.shape as [number, number, number]
  const outputs = stored.get('y')?.shape[2] ?? width
  const batchOf = (name: string, step: number, size: number) =>
    tf.tensor2d(stored.get(name)!.data.slice(step * rows * size, (step + 1) * rows * size), [rows, size])

  const params: Record<string, Tensor> = {}
  for (const [ours, theirs] of Object.entries(plan.weights))
    params[ours] = oriented(stored, `init.${theirs.name}`, theirs.transposed)
  const first = batchOf('x', 0, width)
  plan.prepare?.(params, first)
  first.dispose()
  const architecture = plan.architecture as Architecture
  const Fused = fused ? fusedStepper(architecture, plan.own, plan.settings) : undefined
  const stepper = new (Fused ?? Stepper)({
    architecture,
    own: plan.own,
    settings: plan.settings,
    shape: { width, outputs, latents: plan.latents, sites: 1 },
    params,
    total: plan.total,
    variance: 1,
  })
  if (plan.state) stepper.state = { ...stepper.state, ...plan.state }

  const losses: Record<string, number> = {}
  const weights: Record<string, number> = {}
  for (let step = 0; step < steps; step++) {
    const input = batchOf('x', step, width)
    const target = stored.has('y') ? batchOf('y', step, outputs) : input
    const report = stepper.take({ input, target }, { measure: true })!
    tf.dispose([input, target])
    for (const [name, value] of Object.entries(plan.losses(report))) {
      const recorded = stored.get(`loss.${name}`)?.data[step]
      if (recorded === undefined) continue
      const difference = recorded === 0 ? Math.abs(value) : Math.abs(value - recorded) / Math.abs(recorded)
      losses[name] = Math.max(losses[name] ?? 0, difference)
    }
  }
  const final = stepper.weights()
  for (const [ours, theirs] of Object.entries(plan.weights)) {
    const expected = oriented(stored, `final.${theirs.name}`, theirs.transposed)
    weights[theirs.name] = tf.tidy(() => {
      const scale = expected.abs().max()
      return final[ours]!.sub(expected).abs().max().div(scale).dataSync()[0]!
    })
    expected.dispose()
  }
  if (plan.threshold) {
    const expected = stored.get(`final.${plan.threshold}`)!.data[0]!
    weights[plan.threshold] = Math.abs(stepper.state.threshold! - expected) / Math.abs(expected)
  }
  tf.dispose(final)
  stepper.dispose()
  return {
    reference: path,
    architecture: plan.architecture.name,
    step: Fused ? 'fused' : 'plain',
    steps,
    losses,
    weights,
    largest: Math.max(...Object.values(losses), ...Object.values(weights)),
  }
}

function oriented(stored: Stored, name: string, transposed: boolean): Tensor {
  const { shape, data } = stored.get(name)!
  return tf.tidy(() => {
    const tensor = tf.tensor(data.slice(), shape)
    return transposed ? (tf.transpose(tensor as Tensor2D) as Tensor) : tensor
  })
}

/** When a training has gone astray: it stops with a sentence, so that numbers that mean nothing are never kept. */
import { UserError } from '../../core/errors.ts'
import { type Tensor, type Tensor2D, tf } from '../../engine/tf.ts'
import type { Saved } from '../architecture.ts'
import { decoderRows } from '../inference.ts'
import type { StepReport } from '../step/step.ts'
import type { ResolvedTraining } from './config.ts'
import { defaultRateOf, type TrainingPlan } from './plan.ts'

/**
 * An error so many times the variance is not that of a training that may still come right: at their start, decoders of a
 * million latents on 64 dimensions are off by less than a hundred million times.
 */
const absurdFvu = 1e9

/** How many latents a sentence names. */
const namedLatents = 5

/** A training whose loss or weights mean nothing any more. */
export class DivergedError extends UserError {}

/** What a sentence about a training is made of. */
export interface Astray {
  readonly resolved: ResolvedTraining
  readonly plan: TrainingPlan
  /** The SAE as it would be saved now, its tensors the caller's. */
  form(): Saved
}

/** Throws a `DivergedError` where the figures of a step are not finite, or absurd. */
export function checkReport(report: StepReport, training: Astray): void {
  const { step, loss, terms, fvu } = report
  const wrong = Object.entries(terms).filter(([, value]) => !Number.isFinite(value))
  if (Number.isFinite(loss) && Number.isFinite(fvu) && fvu <= absurdFvu) return
  const what = !Number.isFinite(loss)
    ? `the loss is ${loss} (${wrong.map(([name, value]) => `${name} ${value}`).join(', ') || 'the sum of its terms'})`
    : Number.isFinite(fvu)
      ? `the error is ${fvu.toPrecision(3)} times the variance of the rows`
      : `the error is ${fvu}`
  const saved = training.form()
  const latents = brokenLatents(saved)
  tf.dispose(Object.values(saved.params))
  throw astray(`in step ${step + 1} of ${training.plan.steps} ${what}${latents ? `, and ${latents}` : ''}`, training)
}

/** Throws a `DivergedError` where a weight of a form that is to be kept is not finite; it disposes the form then. */
export function checkForm(saved: Saved, training: Omit<Astray, 'form'>): void {
  const wrong = Object.entries(saved.params).filter(([, tensor]) => !allFinite(tensor))
  if (wrong.length === 0) return
  const latents = brokenLatents(saved)
  tf.dispose(Object.values(saved.params))
  const names = wrong.map(([name]) => name).join(', ')
  throw astray(`values of ${names} are not finite${latents ? `: ${latents}` : ''}`, training)
}

function astray(what: string, { resolved, plan }: Omit<Astray, 'form'>): DivergedError {
  const { learningRate } = plan.settings
  const usual = defaultRateOf(resolved, plan)
  const changes =
    learningRate > usual
      ? [`Lower learningRate, which is ${learningRate}; left out, it is ${usual.toPrecision(3)}`]
      : [`Lower learningRate, which is ${learningRate.toPrecision(3)}`, 'set gradientClip to 1']
  if (resolved.training.inputScale === 'none') changes.push('leave inputScale out')
  const sites = [...plan.inputSites, ...plan.targetSites].join(', ')
  return new DivergedError(`The training on ${sites} went astray: ${what}.`, { fix: `${changes.join(', or ')}.` })
}

function allFinite(tensor: Tensor): boolean {
  // A sum of finite values may overflow, so the values themselves have the last word.
  return tf.tidy(() => Number.isFinite(tensor.sum().dataSync()[0]!)) || tensor.dataSync().every(Number.isFinite)
}

/** The latents whose decoder or encoder is not finite, in words; undefined where there are none. */
function brokenLatents({ architecture, params }: Saved): string | undefined {
  const sums = tf.tidy(() => {
    const decoder = decoderRows(architecture, params).sum(1)
    const encoder = params.W_enc?.rank === 2 ? (params.W_enc as Tensor2D).sum(0) : tf.zerosLike(decoder)
    return decoder.add(encoder).dataSync()
  })
  const broken = Array.from(sums, (sum, latent) => (Number.isFinite(sum) ? -1 : latent)).filter(latent => latent >= 0)
  if (broken.length === 0) return undefined
  const named = broken.slice(0, namedLatents).join(', ')
  const more = broken.length > namedLatents ? ` … (${broken.length} of ${sums.length})` : ` of ${sums.length}`
  return `the weights of latents ${named}${more} are not finite`
}

/** How many times k the latents a row of an SAE are that is said nothing of, or one through that. */
const usualL0 = 2

/**
 * What to say of a finished SAE that explains nothing, or that lets far more or fewer latents fire than the k a row that its batches kept:
 * `own` are the settings of its architecture, of which those with a running threshold have a `thresholdRate`. Undefined where there
 * is nothing.
 */
export function warningOf(
  { fvu, l0 }: { readonly fvu: number | null; readonly l0: number | null },
  { k, thresholdRate, activation }: Readonly<Record<string, unknown>>,
): string | undefined {
  const warnings: string[] = []
  if (fvu !== null && fvu >= 1)
    warnings.push(
      `The SAE is no better than the mean of the rows: it leaves ${fvu.toPrecision(3)} of their variance unexplained. Train longer or with a lower learningRate, or let more latents fire.`,
    )
  // A crosscoder or cross-layer transcoder that keeps what is above zero has these settings, and no use for them.
  const keepsK = typeof k === 'number' && thresholdRate !== undefined && activation !== 'relu'
  if (l0 !== null && keepsK && (l0 * usualL0 < k || l0 > k * usualL0))
    warnings.push(
      `The SAE lets ${l0.toPrecision(3)} latents a row fire, though its batches kept ${k}: the threshold that it is saved with has not come to theirs. Train for more steps, or with a higher thresholdRate, which is ${thresholdRate}.`,
    )
  return warnings.length > 0 ? warnings.join(' ') : undefined
}

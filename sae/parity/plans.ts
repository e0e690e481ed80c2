/** How to replay each library's recorded steps: which preset, which settings over it, which weight is which. */
import { UserError } from '../../core/errors.ts'
import type { Tensor, Tensor1D, Tensor2D } from '../../engine/tf.ts'
import type { Architecture, Params, State } from '../architecture.ts'
import { architectureOf } from '../architectures/index.ts'
import type { StepReport, StepSettings } from '../step/step.ts'
import { decoderBiasStart } from '../training/decoder-bias.ts'
import { type PresetName, presetSettings, presets } from '../training/presets.ts'
import { TrainingSettings } from '../training/settings.ts'

export interface ReplayPlan {
  readonly architecture: Architecture
  readonly own: Record<string, unknown>
  readonly settings: StepSettings
  readonly latents: number
  /** Steps the schedule was laid out for. */
  readonly total: number
  /** Our weight → their tensor; `transposed` where they keep it the other way round. */
  readonly weights: Record<string, { name: string; transposed: boolean }>
  /** Their name of the running threshold, where there is one. */
  readonly threshold?: string
  readonly state?: State
  /** What the library does to its weights before the first step. */
  prepare?(params: Params, first: Tensor2D): void
  /** Our report under their loss names. */
  losses(report: StepReport): Record<string, number>
}

type Lookup = (name: string) => { shape: number[]; data: Float32Array }
type Json = Record<string, unknown>

/** The plan for a reference's JSON. */
export function replayPlan(description: Json, stored: Lookup): ReplayPlan {
  switch (description.library) {
    case 'SAELens':
      return saelens(description, stored)
    case 'dictionary_learning':
      return dictionaryLearning(description, stored)
    case 'sparsify':
      return sparsify(description, stored)
    default:
      throw new UserError(`No preset replays the library ${String(description.library)}.`, {
        fix: 'Known are SAELens, dictionary_learning and sparsify.',
      })
  }
}

/** Preset settings of an architecture with the recorded ones over them, through the architecture's own schema. */
function configure(preset: PresetName, name: string, recorded: Json): { architecture: Architecture; own: Json } {
  const architecture = architectureOf(name)
  const known = Object.keys(architecture.config.shape)
  const given = Object.fromEntries(Object.entries(recorded).filter(([, value]) => value !== undefined))
  return {
    architecture,
    own: architecture.config.parse({ ...presetSettings(preset, name, known), ...given }) as Json,
  }
}

function settingsOf(preset: PresetName, recorded: Json): StepSettings {
  const all = TrainingSettings.parse({ ...presets[preset].training, ...recorded })
  return {
    ...all,
    learningRate: all.learningRate!,
    warmUp: all.warmUp ?? 0,
    deadAfterTokens: all.deadAfterTokens!,
    gradientClip: all.gradientClip,
  } as StepSettings
}

const straight = (names: Record<string, string>): ReplayPlan['weights'] =>
  Object.fromEntries(Object.entries(names).map(([ours, name]) => [ours, { name, transposed: false }]))

const turned = (names: Record<string, string>): ReplayPlan['weights'] =>
  Object.fromEntries(Object.entries(names).map(([ours, name]) => [ours, { name, transposed: true }]))

function saelens(description: Json, stored: Lookup): ReplayPlan {
  const config = description.config as Json
  const optimiser = description.optimizer as {
    lr: number
    betas: [number, number]
    eps: number
    clip_grad_norm: number
  }
  const rows = stored('x').shape[1]!
  const kinds: Record<string, string> = {
    matryoshka: 'matryoshka',
    'jumprelu-step': 'jumprelu',
    'jumprelu-tanh': 'jumprelu',
    'batchtopk-fraction': 'batchtopk',
    matching_pursuit: 'matching-pursuit',
  }
  const recorded = String(description.architecture)
  const name = kinds[recorded] ?? recorded
  const settings = settingsOf('saelens', {
    learningRate: optimiser.lr,
    beta1: optimiser.betas[0],
    beta2: optimiser.betas[1],
    epsilon: optimiser.eps,
    gradientClip: optimiser.clip_grad_norm,
    // SAELens counts steps, and takes a latent for dead once more than that many have passed.
    deadAfterTokens: (description.dead_after_steps as number) * rows + 1,
  })
  const gated = name === 'gated'
  const pursuit = name === 'matching-pursuit'
  const thresholded = name === 'batchtopk' || name === 'matryoshka'
  return {
    ...configure('saelens', name, {
      k: pursuit ? config.max_iterations : config.k,
      residualThreshold: config.residual_threshold,
      stopOnRepeat: config.stop_on_duplicate_support,
      auxCoefficient: config.aux_loss_coefficient,
      auxDecoderBias: hasBiasFault(String(description.version)) ? undefined : withoutBias(name),
      rescaleByDecoderNorm: config.rescale_acts_by_decoder_norm,
      thresholdRate: config.topk_threshold_lr,
      widths: config.matryoshka_widths,
      levelWeights: (config.matryoshka_widths as number[] | undefined)?.map(() => 1),
      l1Coefficient: config.l1_coefficient,
      lpNorm: config.lp_norm,
      initThreshold: config.jumprelu_init_threshold,
      bandwidth: config.jumprelu_bandwidth,
      sparsityLoss: config.jumprelu_sparsity_loss_mode,
      l0Coefficient: config.l0_coefficient,
      preActCoefficient:
        config.pre_act_loss_coefficient === undefined ? undefined : (config.pre_act_loss_coefficient ?? 0),
      tanhScale: config.jumprelu_sparsity_loss_mode === undefined ? undefined : config.jumprelu_tanh_scale,
    }),
    settings,
    latents: config.d_sae as number,
    total: 1e9,
    weights: straight({
      ...(pursuit ? {} : { wEnc: 'W_enc' }),
      ...(pursuit ? {} : gated ? { bGate: 'b_gate', rMag: 'r_mag', bMag: 'b_mag' } : { bEnc: 'b_enc' }),
      wDec: 'W_dec',
      bDec: 'b_dec',
      ...(name === 'jumprelu' ? { threshold: 'log_threshold' } : {}),
    }),
    ...(thresholded
      ? { threshold: 'topk_threshold', state: { threshold: stored('init.topk_threshold').data[0]! } }
      : {}),
    losses: ({ terms, loss }) => ({
      total: loss,
      mse_loss: terms.reconstruction!,
      auxiliary_reconstruction_loss: terms.auxiliary ?? 0,
      l1_loss: terms.sparsity ?? 0,
      l0_loss: terms.sparsity ?? 0,
      pre_act_loss: terms.preActivation ?? 0,
      ...Object.fromEntries(
        Object.entries(terms).flatMap(([term, value]) =>
          term.startsWith('inner') ? [[`inner_mse_loss_${term.slice(5)}`, value]] : [],
        ),
      ),
    }),
  }
}

/** Whether this version of SAELens adds the decoder bias to what dead latents explain. */
function hasBiasFault(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major < 6 || (major === 6 && minor < 36)
}

/** `false` for the architectures that have the setting. */
function withoutBias(name: string): false | undefined {
  return 'auxDecoderBias' in architectureOf(name).config.shape ? false : undefined
}

function dictionaryLearning(description: Json, stored: Lookup): ReplayPlan {
  const trainer = description.trainer_config as Json
  const kinds: Record<string, string> = {
    TopKTrainer: 'topk',
    BatchTopKTrainer: 'batchtopk',
    MatryoshkaBatchTopKTrainer: 'matryoshka',
    JumpReluTrainer: 'jumprelu',
    GatedSAETrainer: 'gated',
    StandardTrainer: 'standard',
    StandardTrainerAprilUpdate: 'standard-april',
  }
  const kind = kinds[String(description.trainer)]
  if (!kind) throw new UserError(`No preset replays dictionary_learning's ${String(description.trainer)}.`)
  const name = kind.split('-')[0]!
  const april = kind === 'standard-april'
  const topk = ['topk', 'batchtopk', 'matryoshka'].includes(name)
  const settings = settingsOf('dictionary_learning', {
    learningRate: trainer.lr,
    warmUp: (description.config as Json).warmup_steps,
    sparsityWarmUp: trainer.sparsity_warmup_steps ?? 0,
    ...(name === 'gated' || name === 'jumprelu' ? { beta1: 0 } : {}),
    ...(name === 'gated' || kind === 'standard' ? { gradientClip: undefined } : {}),
    ...(april ? { decoderNorm: 'free', projectGradient: false } : {}),
  })
  const weights = {
    topk: turned({ wEnc: 'encoder.weight', wDec: 'decoder.weight' }),
    direct: straight({ wEnc: 'W_enc', wDec: 'W_dec', bEnc: 'b_enc', bDec: 'b_dec' }),
  }
  const byName: Record<string, ReplayPlan['weights']> = {
    topk: { ...weights.topk, ...straight({ bEnc: 'encoder.bias', bDec: 'b_dec' }) },
    batchtopk: { ...weights.topk, ...straight({ bEnc: 'encoder.bias', bDec: 'b_dec' }) },
    standard: { ...weights.topk, ...straight({ bEnc: 'encoder.bias', bDec: 'bias' }) },
    gated: {
      ...weights.topk,
      ...straight({ bGate: 'gate_bias', rMag: 'r_mag', bMag: 'mag_bias', bDec: 'decoder_bias' }),
    },
    matryoshka: weights.direct,
    jumprelu: { ...weights.direct, ...straight({ threshold: 'threshold' }) },
  }
  return {
    ...configure('dictionary_learning', name, {
      k: trainer.k,
      auxCoefficient: trainer.auxk_alpha,
      ...(topk && name !== 'topk'
        ? {
            thresholdRate: 1 - (trainer.threshold_beta as number),
            thresholdFrom: (trainer.threshold_start_step as number) + 1,
          }
        : {}),
      widths: (trainer.group_sizes as number[] | undefined)?.map((_, i, sizes) =>
        sizes.slice(0, i + 1).reduce((a, b) => a + b),
      ),
      levelWeights: (trainer.group_weights as number[] | undefined)?.map((weight, _, all) => weight / all.length),
      l1Coefficient: trainer.l1_penalty,
      bandwidth: trainer.bandwidth,
      l0Coefficient: trainer.sparsity_penalty,
      targetL0: trainer.target_l0,
      ...(april ? { reconstruction: 'sum', weightByDecoderNorm: true } : {}),
    }),
    settings,
    latents: trainer.dict_size as number,
    total: trainer.steps === undefined ? 1000 : (trainer.steps as number),
    weights: byName[name]!,
    ...(name === 'batchtopk' || name === 'matryoshka'
      ? { threshold: 'threshold', state: { threshold: stored('init.threshold').data[0]! } }
      : {}),
    ...(topk ? { prepare: centre } : {}),
    losses: ({ loss }) => ({ update_returned: loss }),
  }
}

/** The TopK trainers of dictionary_learning put the decoder bias on the first batch's geometric median. */
function centre(params: Params, first: Tensor2D): void {
  const median: Tensor1D = decoderBiasStart('geometric-median-absolute', first)
  params.bDec!.dispose()
  params.bDec = median as Tensor
}

function sparsify(description: Json, stored: Lookup): ReplayPlan {
  const config = description.config as Json
  const optimiser = description.optimizer as { lr: number; betas: [number, number]; eps: number }
  const name = config.transcode ? (config.skip_connection ? 'skip-transcoder' : 'transcoder') : 'topk'
  return {
    ...configure('sparsify', name, { k: config.k }),
    settings: settingsOf('sparsify', {
      learningRate: optimiser.lr,
      beta1: optimiser.betas[0],
      beta2: optimiser.betas[1],
      epsilon: optimiser.eps,
      warmUp: 0,
      decay: 0,
      ...(config.transcode ? { decoderNorm: 'free', projectGradient: false } : {}),
    }),
    latents: stored('init.W_dec').shape[0]!,
    total: 1e9,
    weights: {
      ...turned({ wEnc: 'encoder.weight' }),
      ...straight({ bEnc: 'encoder.bias', wDec: 'W_dec', bDec: 'b_dec' }),
      ...(config.skip_connection ? straight({ wSkip: 'W_skip' }) : {}),
    },
    losses: ({ terms }) => ({ fvu: terms.reconstruction! }),
  }
}

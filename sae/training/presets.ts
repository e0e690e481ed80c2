/**
 * Presets: the conventions of the libraries that made each architecture known, as settings. With a preset, a step here is
 * that library's step (`verify-training.ts` holds it to recorded ones), its known faults included.
 */

export interface Preset {
  /** Library and version whose steps were recorded. */
  readonly of: string
  /** Training settings (`training-settings.ts`). */
  readonly training: Readonly<Record<string, unknown>>
  /** Training settings that the library has for single architectures only. */
  readonly trainingOf?: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  /** Settings by architecture; `*` holds for all of them where they have the key. */
  readonly architectures: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

const saelensTopk = {
  rescaleByDecoderNorm: true,
  auxCoefficient: 1,
  auxNormalise: 'none',
  auxScaleByDead: true,
  auxRelu: false,
  auxDecoderBias: true,
}

const saelensThreshold = { thresholdRate: 0.01, thresholdFrom: 0, thresholdStart: 'zero' }

const dictionaryLearningTopk = { auxCoefficient: 1 / 32, auxNormalise: 'residual' }
const dictionaryLearningThreshold = { thresholdRate: 0.001, thresholdFrom: 1001, thresholdStart: 'first' }

const dictionaryLearningRelu = { gradientClip: undefined, decoderBias: 'zero', sparsityWarmUp: 2000 }

const sparsifyTopk = {
  auxCoefficient: 0,
  auxNormalise: 'target',
  auxScaleByDead: true,
  auxDecoderBias: true,
  auxToEncoder: false,
}

export const presets = {
  saelens: {
    of: 'SAELens 6.18, abstopk and matching-pursuit 6.54',
    training: {
      learningRate: 3e-4,
      schedule: 'constant',
      warmUp: 0,
      decay: 0,
      gradientClip: 1,
      decoderNorm: 'free',
      projectGradient: false,
      decoderBias: 'zero',
      inputScale: 'none',
      foldDecoderNorm: false,
      deadAfterTokens: 1000 * 4096,
    },
    architectures: {
      '*': { reconstruction: 'sum', decoderInitNorm: 0.1, decoderBiasOnInput: true },
      topk: saelensTopk,
      abstopk: { ...saelensTopk, auxDecoderBias: false },
      batchtopk: { ...saelensTopk, ...saelensThreshold },
      matryoshka: { ...saelensTopk, ...saelensThreshold },
      'matching-pursuit': { decoderInitNorm: 1, residualThreshold: 0.01, stopOnRepeat: true },
      standard: { l1Coefficient: 1, weightByDecoderNorm: true },
      gated: { l1Coefficient: 1, weightByDecoderNorm: true, detachDecoder: false },
      jumprelu: {
        thresholdForm: 'log',
        sparsityLoss: 'step',
        initThreshold: 0.01,
        bandwidth: 0.05,
        l0Coefficient: 1,
        preActCoefficient: 0,
      },
    },
  },
  dictionary_learning: {
    of: 'dictionary_learning 60ec6bf',
    training: {
      rateRule: 'latents',
      schedule: 'constant',
      warmUp: 1000,
      warmUpFromZero: true,
      decay: 0,
      gradientClip: 1,
      decoderNorm: 'unit',
      projectGradient: true,
      decoderBias: 'geometric-median-absolute',
      inputScale: 'none',
      deadAfterTokens: 10_000_000,
    },
    trainingOf: {
      standard: { ...dictionaryLearningRelu, learningRate: 1e-3 },
      'p-anneal': { ...dictionaryLearningRelu, learningRate: 1e-3 },
      gated: { ...dictionaryLearningRelu, learningRate: 5e-5, beta1: 0 },
      jumprelu: { ...dictionaryLearningRelu, learningRate: 7e-5, beta1: 0, gradientClip: 1 },
    },
    architectures: {
      '*': { reconstruction: 'sum', decoderInitNorm: 1, decoderBiasOnInput: true },
      topk: dictionaryLearningTopk,
      batchtopk: { ...dictionaryLearningTopk, ...dictionaryLearningThreshold },
      matryoshka: { ...dictionaryLearningTopk, ...dictionaryLearningThreshold },
      standard: { l1Coefficient: 0.1, weightByDecoderNorm: false },
      gated: { l1Coefficient: 0.1, weightByDecoderNorm: false, detachDecoder: true },
      jumprelu: {
        decoderBiasOnInput: false,
        thresholdForm: 'direct',
        initThreshold: 0.001,
        bandwidth: 0.001,
        sparsityLoss: 'target',
        l0Coefficient: 1,
        targetL0: 20,
        l0OfLatents: true,
        preActCoefficient: 0,
      },
    },
  },
  sparsify: {
    of: 'sparsify 9d3b136',
    training: {
      rateRule: 'latents',
      schedule: 'linear',
      warmUp: 1000,
      decay: 0.999,
      decoderNorm: 'unit-before',
      projectGradient: true,
      decoderBias: 'mean',
      inputScale: 'none',
      deadAfterTokens: 10_000_000,
    },
    architectures: {
      '*': { reconstruction: 'fvu', decoderInitNorm: 1, decoderBiasOnInput: true },
      topk: sparsifyTopk,
      transcoder: { ...sparsifyTopk, decoderBiasOnInput: false },
      'skip-transcoder': { ...sparsifyTopk, decoderBiasOnInput: false },
    },
  },
} as const satisfies Record<string, Preset>

export type PresetName = keyof typeof presets
export const presetNames = Object.keys(presets) as [PresetName, ...PresetName[]]

/** The training settings of a preset for an architecture. */
export function presetTraining(preset: PresetName, architecture: string): Readonly<Record<string, unknown>> {
  const { training, trainingOf }: Preset = presets[preset]
  return { ...training, ...trainingOf?.[architecture] }
}

/** What a preset says about an architecture; keys the architecture does not have are left out. */
export function presetSettings(preset: PresetName, architecture: string, known: readonly string[]) {
  const all = presets[preset].architectures as Preset['architectures']
  const merged = { ...all['*'], ...all[architecture] }
  return Object.fromEntries(Object.entries(merged).filter(([key]) => known.includes(key)))
}

/**
 * What the forward pass must know of a model: sizes, where each weight is, and the settings in which families differ.
 * A family file (`families/`) turns a Hugging Face config into one of these; nothing else knows family names.
 */
import type { Activation } from './layers/activation.ts'
import type { Rotary } from './layers/rotary.ts'
import type { ModelConfig } from './model.ts'

/** Names of a linear layer's weights. `out-in` is torch's Linear (y = x Wᵀ + b), `in-out` is GPT-2's (y = x W + b). */
export interface LinearNames {
  readonly weight: string
  readonly bias: string | null
  readonly layout: 'in-out' | 'out-in'
}

/** Names of a norm's gain and, for layer norm, bias; without either, what is normed stays as it is. */
export interface NormNames {
  readonly gain: string | null
  readonly bias: string | null
}

/** How a norm computes: y = (x − μ)/s · gain + bias (layer) or x/s · gain (rms), gain = weight (+ 1). */
export interface NormKind {
  readonly kind: 'layer' | 'rms'
  readonly epsilon: number
  /** Gemma stores gain − 1. */
  readonly gainPlusOne: boolean
}

/**
 * A norm of queries or keys: over each head with one gain for all (`shared`), over each head with its own gain, in one tensor
 * (`by head`) or in one a head (`listed`), or over all heads side by side (`together`).
 */
export type HeadNorm =
  | { readonly form: 'shared' | 'by head' | 'together'; readonly names: NormNames }
  | { readonly form: 'listed'; readonly gains: readonly string[] }

/**
 * Queries, keys and values as three layers, or as one whose columns are all queries, all keys, all values (`together`), or
 * key/value head by key/value head its queries, its key, its value (`by group`).
 */
export type ProjectionNames =
  | { readonly form: 'separate'; readonly q: LinearNames; readonly k: LinearNames; readonly v: LinearNames }
  | { readonly form: 'together' | 'by group'; readonly qkv: LinearNames }

/** One hidden layer: post = act(gate) · up when gated, act(in) otherwise; `in` is up when gated. */
export interface NeuronNames {
  readonly form: 'neurons'
  readonly gate: LinearNames | null
  readonly in: LinearNames
  readonly out: LinearNames
}

/** A gated hidden layer whose gate and up are one product, gate first. */
export interface FusedNames {
  readonly form: 'fused'
  readonly gateUp: LinearNames
  readonly out: LinearNames
}

/**
 * Experts of one tensor each kind, as transformers 5 has them in memory and as `torch.save(model.state_dict())` keeps them,
 * and the router beside them: gate and up [expert, 2 · expertWidth, width], gate first, and down [expert, width, expertWidth].
 */
export interface TogetherNames {
  readonly form: 'together'
  readonly router: LinearNames
  readonly gateUp: string
  readonly down: string
}

/**
 * Experts in tensors of their own (files may have them together instead), or stacked in tensors with the expert as first
 * axis, gate and up in turns.
 */
export type ExpertNames =
  | { readonly form: 'listed'; readonly experts: readonly NeuronNames[]; readonly together: TogetherNames }
  | TogetherNames
  | {
      readonly form: 'stacked'
      /** [expert, width, 2 · expertWidth], and [expert, 2 · expertWidth]. */
      readonly gateUp: string
      readonly gateUpBias: string
      /** [expert, expertWidth, width], and [expert, width]. */
      readonly down: string
      readonly downBias: string
      /** hidden = (clip(up) + 1) · g σ(α g) with g = min(gate, limit). */
      readonly alpha: number
      readonly limit: number
    }

/** A mixture of experts: each token's output is a weighted sum of those that its router scores highest. */
export interface MixtureNames {
  readonly form: 'experts'
  readonly router: LinearNames
  readonly experts: ExpertNames
  /** How many experts there are. */
  readonly count: number
  /** Neurons of an expert. */
  readonly expertWidth: number
  /** Experts a token has. */
  readonly perToken: number
  /** Whether weights are probabilities over all experts, the same made to sum to one, or a softmax over those chosen. */
  readonly weights: 'probabilities' | 'renormalised' | 'chosen'
  /** An expert that every token has, its number of neurons, and what gates it. */
  readonly shared: { readonly neurons: NeuronNames; readonly width: number; readonly gate: LinearNames } | null
}

export type MlpNames = NeuronNames | FusedNames | MixtureNames

/** One transformer block. */
export interface BlockArchitecture {
  /** Null where attention reads the residual stream as it is (OLMo 2). */
  readonly ln1: NormNames | null
  /** Norm of attention's output before it joins the residual stream (Gemma 2 and 3, OLMo 2). */
  readonly ln1Post: NormNames | null
  readonly ln2: NormNames | null
  readonly ln2Post: NormNames | null
  readonly projection: ProjectionNames
  /** Queries, keys and values are clipped to ± this (OLMo). */
  readonly clip: number | null
  /** Norms of queries and keys before the rotation (Qwen 3, Gemma 3, …). */
  readonly qNorm: HeadNorm | null
  readonly kNorm: HeadNorm | null
  readonly output: LinearNames
  readonly mlp: MlpNames
  /** Keys a query sees, itself included; null sees all before it. */
  readonly window: number | null
  readonly rotary: Rotary | null
  /** Scores are q·k times this. */
  readonly scale: number
  /** A score of each head that stands beside those of the keys and has no value (gpt-oss), [heads]. */
  readonly sinks: string | null
}

/** A whole model. */
export interface Architecture {
  readonly config: ModelConfig
  readonly embedding: string
  /** Factor of the token embeddings (Gemma: √width). */
  readonly embeddingScale: number
  /** Norm of the embeddings (BLOOM). */
  readonly embeddingNorm: NormNames | null
  /** Learned position embeddings (GPT-2), and how many of their rows come before the first position's (OPT: 2). */
  readonly positions: string | null
  readonly positionOffset: number
  /** What each head adds to its scores by the key's position, [heads, positions] (ALiBi). */
  readonly alibi: ((positions: number) => Float32Array) | null
  readonly norm: NormKind
  readonly blocks: readonly BlockArchitecture[]
  /** Factor of what attention and MLP add to the residual stream (Granite). */
  readonly residualScale: number
  /** Attention and MLP both read the block's input (GPT-NeoX); there is no `hook_resid_mid` then. */
  readonly parallel: boolean
  readonly activation: Activation
  /** Scores become cap · tanh(scores / cap). */
  readonly scoreCap: number | null
  readonly logitCap: number | null
  /** Factor of the logits (Cohere, Granite). */
  readonly logitScale: number
  readonly finalNorm: NormNames
  /** The head [vocabulary, width]; equal to `embedding` when tied. */
  readonly unembedding: string
  /** Bias of the head [vocabulary] (Phi, GPT-J). */
  readonly unembeddingBias: string | null
  /** When tied: the name of a head apart, which files may hold all the same. It is then the head. */
  readonly tiedHead: string | null
  /** How files begin names differently: each pair is what stands above and what a file may have instead. */
  readonly renamings: readonly (readonly [above: string, inFile: string])[]
  /** Other names under which files hold a tensor, tried in order when the name itself is absent. */
  readonly aliases: Readonly<Record<string, readonly string[]>>
  /** Tensors in files that are no weights (saved masks and the like). */
  readonly ignored: RegExp
}

/** A whole model whose blocks are not made yet: nothing in it is as long as a number of its config says. */
export interface Outline extends Omit<Architecture, 'blocks'> {
  block(layer: number): BlockArchitecture
}

/** A block without what few families have. */
export const plainBlock = {
  ln1Post: null,
  ln2Post: null,
  clip: null,
  qNorm: null,
  kNorm: null,
  window: null,
  rotary: null,
  sinks: null,
} as const satisfies Partial<BlockArchitecture>

/** A model without what few families have. */
export const plainModel = {
  embeddingScale: 1,
  embeddingNorm: null,
  positions: null,
  positionOffset: 0,
  alibi: null,
  residualScale: 1,
  parallel: false,
  scoreCap: null,
  logitCap: null,
  logitScale: 1,
  unembeddingBias: null,
  tiedHead: null,
  renamings: [],
  aliases: {},
} as const satisfies Partial<Architecture>

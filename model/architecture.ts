/**
 * What the forward pass must know of a model: sizes, where each weight is, and the settings in which families differ.
 * A family file (`families/`) turns a Hugging Face config into one of these; nothing else knows family names.
 */
import type { Activation } from './layers/activation.ts'
import type { RotaryFrequencies } from './layers/rotary.ts'
import type { ModelConfig } from './model.ts'

/** Names of a linear layer's weights. `out-in` is torch's Linear (y = x Wᵀ + b), `in-out` is GPT-2's (y = x W + b). */
export interface LinearNames {
  readonly weight: string
  readonly bias: string | null
  readonly layout: 'in-out' | 'out-in'
}

/** Names of a norm's gain and, for layer norm, bias. */
export interface NormNames {
  readonly gain: string
  readonly bias: string | null
}

/** How the norms of a model compute: y = (x − μ)/s · gain + bias (layer) or x/s · gain (rms), gain = weight (+ 1). */
export interface NormKind {
  readonly kind: 'layer' | 'rms'
  readonly epsilon: number
  /** Gemma stores gain − 1. */
  readonly gainPlusOne: boolean
}

/** Queries, keys and values as three layers, or as one whose columns are q|k|v (`together`) or head by head (`by head`). */
export type ProjectionNames =
  | { readonly form: 'separate'; readonly q: LinearNames; readonly k: LinearNames; readonly v: LinearNames }
  | { readonly form: 'together' | 'by head'; readonly qkv: LinearNames }

/** One transformer block. */
export interface BlockArchitecture {
  readonly ln1: NormNames
  /** Norm of attention's output before it joins the residual stream (Gemma 2 and 3). */
  readonly ln1Post: NormNames | null
  readonly ln2: NormNames
  readonly ln2Post: NormNames | null
  readonly projection: ProjectionNames
  /** RMS norms of each head's queries and keys before the rotation (Qwen 3, Gemma 3). */
  readonly qNorm: NormNames | null
  readonly kNorm: NormNames | null
  readonly output: LinearNames
  /** post = act(gate) · up when gated, act(in) otherwise; `in` is up when gated. */
  readonly mlp: { readonly gate: LinearNames | null; readonly in: LinearNames; readonly out: LinearNames }
  /** Keys a query sees, itself included; null sees all before it. */
  readonly window: number | null
  readonly rotary: RotaryFrequencies | null
  /** Scores are q·k times this. */
  readonly scale: number
}

/** A whole model. */
export interface Architecture {
  readonly config: ModelConfig
  readonly embedding: string
  /** Factor of the token embeddings (Gemma: √width). */
  readonly embeddingScale: number
  /** Learned position embeddings (GPT-2). */
  readonly positions: string | null
  readonly norm: NormKind
  readonly blocks: readonly BlockArchitecture[]
  /** Attention and MLP both read the block's input (GPT-NeoX); there is no `hook_resid_mid` then. */
  readonly parallel: boolean
  readonly activation: Activation
  /** Scores become cap · tanh(scores / cap). */
  readonly scoreCap: number | null
  readonly logitCap: number | null
  readonly finalNorm: NormNames
  /** The head [vocabulary, width]; equal to `embedding` when tied. */
  readonly unembedding: string
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

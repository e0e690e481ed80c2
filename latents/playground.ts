/**
 * Features on a text of one's own: which fire, and what an edit of them does to what follows, beside controls of equal norm.
 *
 * The text runs once up to the SAE's site; edits are rows of batches that start there. Every row is held against the same row of a
 * batch of the same shape in which nothing is added, so that an edit that changes nothing gives exactly 0.
 */
import { UserError } from '../core/errors.ts'
import { onHost } from '../engine/host.ts'
import { type Tensor2D, type Tensor3D, tf } from '../engine/tf.ts'
import type { Model } from '../model/model.ts'
import { mustSpeakByLatent } from '../sae/by-latent.ts'
import { reconstructs, type Sae } from '../sae/sae.ts'
import { firstPosition, siteRows } from './activations.ts'
import { startBefore } from './clean-pass.ts'
import { type Continuation, continued } from './continuation.ts'
import { FrozenAttention } from './frozen-attention.ts'
import { adding } from './interventions.ts'
import {
  amountsOf,
  type Changed,
  changeOf,
  deltaOfChanges,
  type Firing,
  foreignLatents,
  type PlayEdit,
  randomDirections,
  unit,
} from './play-edits.ts'

/** Logits that a batch may hold. */
const maximumLogits = 2 ** 25
/** Texts, and batches of them as they are, that are kept. */
const keptTexts = 4
const keptBases = 4

/** What is asked of an edit. */
export interface PlayRequest {
  readonly edits: readonly PlayEdit[]
  readonly random: number
  readonly foreign: number
  readonly seed: number
  /** The largest activation of a latent, in which strengths are counted; throws where it is not known. */
  readonly unitOf: (latent: number) => number
}

/** What the edit, or a control, did. */
export interface PlayResult {
  readonly kind: 'edit' | 'random' | 'foreign'
  readonly id: number | null
  /** Mean ‖Δx‖ over edited positions. */
  readonly norm: number
  /** Logits at the position that is looked at [vocabulary], less those of the text as it is. */
  readonly change: Float32Array
  readonly kl: number
  readonly meanKl: number
}

export interface Played {
  readonly changes: readonly Changed[]
  /** Logits of the text as it is, at the position [vocabulary]. */
  readonly base: Float32Array
  readonly rows: readonly PlayResult[]
}

interface Text {
  readonly tokens: Int32Array
  readonly firing: Firing
  readonly start: { readonly site: string; readonly value: Tensor3D } | undefined
  /** Logits of batches in which nothing is added, by rows and first position that is read. */
  readonly bases: Map<string, Tensor3D>
}

/** A model and an SAE in it. The caller disposes the playground, then model and SAE. */
export class Playground {
  readonly model: Model
  readonly sae: Sae
  readonly #rows: Float32Array
  readonly #texts = new Map<string, Text>()
  readonly #frozen: FrozenAttention

  constructor(model: Model, sae: Sae) {
    mustSpeakByLatent(sae, 'the playground')
    this.model = model
    this.sae = sae
    this.#frozen = new FrozenAttention(model)
    this.#rows = onHost(() => sae.decoder().dataSync<'float32'>().slice() as Float32Array)
  }

  /** What the latents say on a text; position 0 is left out. */
  fires(tokens: Int32Array): Firing {
    return this.#text(tokens).firing
  }

  /** Decoder row of a latent [outputs]. */
  decoderRow(latent: number): Float32Array {
    const { outputs, latents } = this.sae
    if (latent >= latents)
      throw new UserError(`The SAE has no latent ${latent}; it has ${latents}.`, {
        fix: `Name one from 0 to ${latents - 1}.`,
      })
    return this.#rows.subarray(latent * outputs, (latent + 1) * outputs)
  }

  /**
   * What edits and their controls do to the logits at a position. Where attention is `frozen`, every pattern behind the site is held
   * as it is on the text, in all rows and in what they are compared with: what is left is what edits write, not where is looked.
   */
  play(tokens: Int32Array, request: PlayRequest, position: number, attention: 'free' | 'frozen' = 'free'): Played {
    const text = this.#text(tokens)
    const { changes, deltas, kinds, norms, first } = this.#deltas(text, request)
    const from = Math.min(first, position)
    const vocabulary = this.model.config.vocabulary
    const most = Math.max(1, Math.floor(maximumLogits / (vocabulary * (tokens.length - from))))
    const rows: PlayResult[] = []
    let base: Float32Array | undefined
    for (let start = 0; start < deltas.length; start += most) {
      const part = deltas.slice(start, start + most)
      onHost(() => {
        const plain = this.#base(text, part.length, from, attention)
        const d = this.#logits(text, part, from, attention).sub(plain) as Tensor3D
        const at = (value: Tensor3D) => value.slice([0, position - from, 0], [part.length, 1, vocabulary])
        base ??= at(plain).slice([0, 0, 0], [1, 1, vocabulary]).dataSync<'float32'>() as Float32Array
        const p = plain.softmax(-1)
        // KL(as it is ‖ edited) = ln E_p[e^d] − E_p[d], exactly 0 where d is.
        const kl = d.expm1().mul(p).sum(-1).log1p().sub(d.mul(p).sum(-1)).dataSync<'float32'>() as Float32Array
        const changed = at(d).dataSync<'float32'>() as Float32Array
        const count = tokens.length - from
        part.forEach((_, row) => {
          const tail = kl.subarray(row * count + Math.max(0, first - from), (row + 1) * count)
          rows.push({
            ...kinds[start + row]!,
            norm: norms[start + row]!,
            change: changed.slice(row * vocabulary, (row + 1) * vocabulary),
            kl: kl[row * count + position - from]!,
            meanKl: tail.length > 0 ? tail.reduce((sum, value) => sum + value, 0) / tail.length : 0,
          })
        })
      })
    }
    return { changes, base: base!, rows }
  }

  /**
   * How the text goes on, token by token, as it is and with each row's edit (which goes on where it is of all positions, or where the
   * latent fires). At temperature 0 the likeliest token, ties to the lower id; else one is drawn, at each step with one number of the
   * seed for all rows, so that they differ by what was added alone.
   */
  *continue(
    tokens: Int32Array,
    request: PlayRequest,
    length: number,
    temperature = 0,
  ): Generator<undefined, Continuation[]> {
    const { kinds } = this.#deltas(this.#text(tokens), request)
    const options = { length, temperature, seed: request.seed, context: this.model.config.context }
    const ways = [{ kind: 'base' as const, id: null }, ...kinds]
    return yield* continued(tokens, ways, options, (whole, way, choose) => {
      const text = this.#read(whole)
      try {
        const delta =
          way === 0
            ? new Float32Array(whole.length * this.sae.outputs)
            : this.#deltas(text, request, kinds).deltas[way - 1]!
        return onHost(() => choose(this.#logits(text, [delta], whole.length - 1)))
      } finally {
        text.start?.value.dispose()
      }
    })
  }

  dispose(): void {
    for (const text of this.#texts.values()) free(text)
    this.#texts.clear()
    this.#frozen.dispose()
  }

  /** Changes of the edits, and what they and each control add [length · width]; `fixed` are controls that were chosen already. */
  #deltas(text: Text, request: PlayRequest, fixed?: readonly Kind[]) {
    const { sae } = this
    if (!reconstructs(sae))
      throw new UserError(
        `This SAE reads ${sae.metadata.hook_name} and writes ${String(sae.metadata.hook_name_out)}; its features are not edited here.`,
        {
          fix: 'Ask which features fire, or take an SAE that reconstructs what it reads.',
        },
      )
    const { edits, random, foreign, seed, unitOf } = request
    const length = text.tokens.length
    const changes = edits.map(edit => changeOf(edit, text.firing, length, () => unitOf(edit.latent)))
    const own = deltaOfChanges(changes, latent => this.decoderRow(latent), length, sae.outputs)
    const amounts = amountsOf(own, changes, length)
    const edited = new Set(edits.map(({ latent }) => latent))
    const kinds: readonly Kind[] = fixed ?? [
      { kind: 'edit', id: null },
      ...Array.from({ length: edits.length > 0 ? random : 0 }, (_, id) => ({ kind: 'random' as const, id })),
      ...(edits.length > 0 ? foreignLatents(foreign, text.firing, edited, seed) : []).map(id => ({
        kind: 'foreign' as const,
        id,
      })),
    ]
    const directions = randomDirections(random, sae.outputs, seed)
    const deltas = kinds.map(({ kind, id }) => {
      if (kind === 'edit') return Float32Array.from(own)
      const direction = kind === 'random' ? directions[id!]! : (unit(this.decoderRow(id!)) ?? directions[0]!)
      const delta = new Float32Array(own.length)
      amounts.forEach((amount, p) => {
        for (let j = 0; amount !== 0 && j < direction.length; j++)
          delta[p * direction.length + j] = amount * direction[j]!
      })
      return delta
    })
    const positions = [...new Set(changes.flatMap(change => change.positions))]
    const norms = deltas.map(delta => meanNorm(delta, positions, sae.outputs))
    return { changes, deltas, kinds, norms, first: positions.length > 0 ? Math.min(...positions) : length - 1 }
  }

  /** Logits from a position on [rows, positions, vocabulary] with something added to each row. The caller disposes them. */
  #logits(text: Text, deltas: readonly Float32Array[], from: number, attention: 'free' | 'frozen' = 'free'): Tensor3D {
    const held = attention === 'frozen' ? this.#frozen.hooks(text, deltas.length) : {}
    const { tokens, start } = text
    const rows = deltas.length
    const { outputs, metadata } = this.sae
    return tf.tidy(() => {
      const added = tf.stack(deltas.map(delta => tf.tensor2d(delta, [tokens.length, outputs]))) as Tensor3D
      const positions = Array.from({ length: tokens.length - from }, (_, i) => from + i)
      return this.model.run(tf.tensor2d(tokens, [1, tokens.length], 'int32').tile([rows, 1]) as Tensor2D, {
        hooks: { ...held, [metadata.hook_name]: adding(added) },
        ...(start && { from: { site: start.site, value: start.value.tile([rows, 1, 1]) as Tensor3D } }),
        ...(from > 0 && { readAt: Array.from({ length: rows }, () => positions) }),
      }) as Tensor3D
    })
  }

  /** The same with nothing added: made once for each shape. */
  #base(text: Text, rows: number, from: number, attention: 'free' | 'frozen'): Tensor3D {
    const key = `${rows} ${from} ${attention}`
    const known = text.bases.get(key)
    if (known) return known
    const nothing = new Float32Array(text.tokens.length * this.sae.outputs)
    const made = tf.keep(
      this.#logits(
        text,
        Array.from({ length: rows }, () => nothing),
        from,
        attention,
      ),
    )
    text.bases.set(key, made)
    for (const [old, tensor] of text.bases) {
      if (text.bases.size <= keptBases) break
      text.bases.delete(old)
      tensor.dispose()
    }
    return made
  }

  #text(tokens: Int32Array): Text {
    const key = tokens.join()
    const text = this.#texts.get(key) ?? this.#read(tokens)
    this.#texts.delete(key)
    this.#texts.set(key, text)
    for (const [old, other] of this.#texts) {
      if (this.#texts.size <= keptTexts) break
      this.#texts.delete(old)
      free(other)
    }
    return text
  }

  /** Runs a text up to the site. Its tensors are the caller's. */
  #read(tokens: Int32Array): Text {
    const { model, sae } = this
    const site = sae.metadata.hook_name
    const before = startBefore(site)
    let value: Tensor3D | undefined
    const firing = new Map<number, Map<number, number>>()
    onHost(() => {
      const input = tf.tensor2d(tokens, [1, tokens.length], 'int32')
      if (before !== undefined) value = tf.keep(model.run(input, { until: before }) as Tensor3D)
      const { offsets, indices, values } = sae.encode(siteRows(model, site, input))
      for (let position = firstPosition; position < tokens.length; position++)
        for (let e = offsets[position]!; e < offsets[position + 1]!; e++) {
          const own = firing.get(indices[e]!) ?? new Map<number, number>()
          firing.set(indices[e]!, own.set(position, values[e]!))
        }
    })
    return { tokens, firing, start: value && { site: before!, value }, bases: new Map() }
  }
}

interface Kind {
  readonly kind: 'edit' | 'random' | 'foreign'
  readonly id: number | null
}

function free({ start, bases }: Text): void {
  start?.value.dispose()
  for (const tensor of bases.values()) tensor.dispose()
}

function meanNorm(delta: Float32Array, positions: readonly number[], width: number): number {
  if (positions.length === 0) return 0
  let sum = 0
  for (const position of positions) {
    let square = 0
    for (let j = 0; j < width; j++) square += delta[position * width + j]! ** 2
    sum += Math.sqrt(square)
  }
  return sum / positions.length
}

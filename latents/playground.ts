/**
 * Features on a text of one's own: which fire, and what an edit of them does to what follows, beside controls of equal norm.
 *
 * The text runs once up to the SAE's site; edits are rows of batches that start there. Every row is held against the same row of a
 * batch of the same shape in which nothing is added, so that an edit that changes nothing gives exactly 0.
 */
import { UserError } from '../core/errors.ts'
import { onHost } from '../engine/host.ts'
import { logMeanExp } from '../engine/ops/logit-changes.ts'
import type { Tensor3D } from '../engine/tf.ts'
import type { Model } from '../model/model.ts'
import { mustSpeakByLatent } from '../sae/by-latent.ts'
import type { Sae } from '../sae/sae.ts'
import { type Continuation, continued } from './continuation.ts'
import { type PlayedDeltas, type PlayKind, type PlayRequest, playedDeltas } from './play-deltas.ts'
import type { Changed, Firing } from './play-edits.ts'
import { type PlayAttention, PlayPasses } from './play-passes.ts'
import { freePlayText, type PlayText, PlayTexts, readPlayText } from './play-text.ts'

export type { PlayRequest } from './play-deltas.ts'

/** Logits that a batch may hold. */
const maximumLogits = 2 ** 25

/** What the edit, or a control, did. */
export interface PlayResult extends PlayKind {
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

/** A model and an SAE in it. The caller disposes the playground, then model and SAE. */
export class Playground {
  readonly model: Model
  readonly sae: Sae
  readonly #rows: Float32Array
  readonly #texts: PlayTexts
  readonly #passes: PlayPasses

  constructor(model: Model, sae: Sae) {
    mustSpeakByLatent(sae, 'the playground')
    this.model = model
    this.sae = sae
    this.#texts = new PlayTexts(model, sae)
    this.#passes = new PlayPasses(model, sae)
    this.#rows = onHost(() => sae.decoder().dataSync<'float32'>().slice() as Float32Array)
  }

  /** What the latents say on a text; position 0 is left out. */
  fires(tokens: Int32Array): Firing {
    return this.#texts.of(tokens).firing
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
  play(tokens: Int32Array, request: PlayRequest, position: number, attention: PlayAttention = 'free'): Played {
    const text = this.#texts.of(tokens)
    const { changes, deltas, kinds, norms, first } = this.#deltas(text, request)
    const from = Math.min(first, position)
    const vocabulary = this.model.config.vocabulary
    const most = Math.max(1, Math.floor(maximumLogits / (vocabulary * (tokens.length - from))))
    const rows: PlayResult[] = []
    let base: Float32Array | undefined
    for (let start = 0; start < deltas.length; start += most) {
      const part = deltas.slice(start, start + most)
      onHost(() => {
        const plain = this.#passes.base(text, part.length, from, attention)
        const d = this.#passes.logits(text, part, from, attention).sub(plain) as Tensor3D
        const at = (value: Tensor3D) => value.slice([0, position - from, 0], [part.length, 1, vocabulary])
        base ??= at(plain).slice([0, 0, 0], [1, 1, vocabulary]).dataSync<'float32'>() as Float32Array
        const p = plain.softmax(-1)
        // KL(as it is ‖ edited) = ln E_p[e^d] − E_p[d], exactly 0 where d is.
        const kl = logMeanExp(d, p).sub(d.mul(p).sum(-1)).dataSync<'float32'>() as Float32Array
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
    const { kinds } = this.#deltas(this.#texts.of(tokens), request)
    const options = { length, temperature, seed: request.seed, context: this.model.config.context }
    const ways = [{ kind: 'base' as const, id: null }, ...kinds]
    return yield* continued(tokens, ways, options, (whole, way, choose) => {
      const text = readPlayText(this.model, this.sae, whole)
      try {
        const delta =
          way === 0
            ? new Float32Array(whole.length * this.sae.outputs)
            : this.#deltas(text, request, kinds).deltas[way - 1]!
        return onHost(() => choose(this.#passes.logits(text, [delta], whole.length - 1)))
      } finally {
        freePlayText(text)
      }
    })
  }

  dispose(): void {
    this.#texts.dispose()
    this.#passes.dispose()
  }

  #deltas(text: PlayText, request: PlayRequest, fixed?: readonly PlayKind[]): PlayedDeltas {
    return playedDeltas({ sae: this.sae, decoderRow: latent => this.decoderRow(latent) }, text, request, fixed)
  }
}

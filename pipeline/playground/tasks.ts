/** What the playground's process does, task by task: models and SAEs are loaded when they are first asked about, and kept. */
import { NotThereError, UserError } from '../../core/errors.ts'
import { silent } from '../../core/progress.ts'
import { breathe } from '../../core/stage.ts'
import { counted } from '../../core/text.ts'
import { bounds } from '../../dashboard/api/contracts/play.ts'
import type { Known, TaskName, Tasks } from '../../dashboard/server/compute.ts'
import { loadTokenizer, type Tokenizer } from '../../datasets/tokenizer/index.ts'
import { onHost } from '../../engine/host.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { Playground } from '../../latents/playground.ts'
import { loadModel } from '../../model/load.ts'
import type { Model } from '../../model/model.ts'
import { checkTokenizer } from '../../model/tokenizer.ts'
import { RunStore } from '../../runs/store.ts'
import { compareSaes, placesOf } from '../../sae/measure/compare.ts'
import type { Sae } from '../../sae/sae.ts'
import { findSae, hashing } from '../stages/inputs.ts'
import { modelOf } from '../stages/origin.ts'
import { loadSaeOf } from '../stages/sae.ts'
import { playAnswer, topOf } from './answers.ts'

interface LoadedModel {
  readonly model: Model
  readonly tokenizer: Tokenizer
}

/** SAEs that are kept with their playgrounds. */
const keptSaes = 2

/** Does tasks on the runs of a store, one after the other. */
export class PlaygroundTasks {
  readonly #store: RunStore
  #model: { readonly directory: string; readonly loaded: LoadedModel } | undefined
  readonly #saes = new Map<string, Sae>()
  readonly #playgrounds = new Map<string, Playground>()

  constructor(directory: string) {
    this.#store = new RunStore(directory)
  }

  do<Name extends TaskName>(
    task: Name,
    asked: Tasks[Name]['asked'],
    signal: AbortSignal,
  ): Promise<Tasks[Name]['given']> {
    const tasks: {
      [Task in TaskName]: (asked: Tasks[Task]['asked'], signal: AbortSignal) => Promise<Tasks[Task]['given']>
    } = {
      fires: asked => this.#fires(asked),
      play: asked => this.#play(asked),
      continued: (asked, signal) => this.#continued(asked, signal),
      neighbours: asked => this.#neighbours(asked),
      compare: (asked, signal) => this.#compare(asked, signal),
    }
    return tasks[task](asked, signal)
  }

  async #fires({ sae: id, text, order, count, from, to, densest, known }: Tasks['fires']['asked']) {
    const start = performance.now()
    const { playground, tokenizer } = await this.#open(id)
    const tokens = await tokensOf(playground, tokenizer, text)
    const firing = playground.fires(tokens)
    const features = [...firing].flatMap(([latent, all]) => {
      const at = [...all].filter(([position]) => position >= from && position <= (to ?? tokens.length))
      const density = known?.density[latent] ?? null
      if (at.length === 0 || (density !== null && density > densest)) return []
      const [peak, max] = at.reduce((best, one) => (one[1] > best[1] ? one : best))
      return {
        ...{ latent, sum: at.reduce((sum, [, value]) => sum + value, 0), max, peak, density },
        ...{ positions: at.map(([position]) => position), values: at.map(([, value]) => value) },
        norm: Math.hypot(...playground.decoderRow(latent)),
        maxActivation: known?.maxActivation[latent] ?? null,
        label: null,
      }
    })
    if (order === 'specificity' && known === null) throw needsLabels(id, 'Specificity is activation by density')
    // Without a density the latent never fired on the text that was labelled: nothing is more specific.
    const specific = (one: (typeof features)[0]) => (one.density ? one.max / one.density : Number.POSITIVE_INFINITY)
    const by = {
      sum: (one: (typeof features)[0]) => one.sum,
      max: (one: (typeof features)[0]) => one.max,
      norm: (one: (typeof features)[0]) => one.max * one.norm,
      specificity: specific,
    }[order]
    features.sort((a, b) => (by(a) === by(b) ? a.latent - b.latent : by(b) - by(a)))
    return {
      ...{ sae: id, site: playground.sae.metadata.hook_name, tokens: shown(tokens, tokenizer) },
      ...{ firing: firing.size, features: features.slice(0, count), seconds: (performance.now() - start) / 1000 },
    }
  }

  async #play(asked: Tasks['play']['asked']) {
    const start = performance.now()
    const { playground, tokenizer } = await this.#open(asked.sae)
    const tokens = await tokensOf(playground, tokenizer, asked.text)
    const position = asked.position ?? tokens.length - 1
    if (position >= tokens.length)
      throw new UserError(`position is ${position}, and the text has ${counted(tokens.length, 'token', 'tokens')}.`, {
        fix: `Name one from 0 to ${tokens.length - 1}.`,
      })
    const metric = asked.metric && {
      target: await oneToken(tokenizer, asked.metric.target),
      distractor: asked.metric.distractor === undefined ? null : await oneToken(tokenizer, asked.metric.distractor),
    }
    const units = unitsOf(asked)
    const shows = { tokenizer, top: asked.top, metric: metric ?? null, units }
    const [free, frozen] = (asked.frozen ? (['free', 'frozen'] as const) : (['free'] as const)).map(attention =>
      playAnswer(playground.play(tokens, { ...asked, unitOf: units.of }, position, attention), shows),
    )
    return {
      ...{ sae: asked.sae, site: playground.sae.metadata.hook_name, tokens: shown(tokens, tokenizer), position },
      ...{ ...free!, frozen: frozen?.rows ?? null },
      metric: metric
        ? {
            target: token(metric.target, tokenizer),
            distractor: metric.distractor === null ? null : token(metric.distractor, tokenizer),
          }
        : null,
      seconds: (performance.now() - start) / 1000,
    }
  }

  async #continued(asked: Tasks['continued']['asked'], signal: AbortSignal) {
    const start = performance.now()
    const { playground, tokenizer } = await this.#open(asked.sae)
    const tokens = await tokensOf(playground, tokenizer, asked.text)
    const work = playground.continue(tokens, { ...asked, unitOf: unitsOf(asked).of }, asked.length, asked.temperature)
    let step = work.next()
    while (!step.done) {
      await breathe()
      if (signal.aborted) throw new UserError('The asker is gone.')
      step = work.next()
    }
    const continuations = await Promise.all(
      step.value.map(async ({ kind, id, tokens }) => ({
        ...{ kind, id, tokens: shown(Int32Array.from(tokens), tokenizer), text: await tokenizer.decode(tokens) },
      })),
    )
    return {
      sae: asked.sae,
      tokens: shown(tokens, tokenizer),
      continuations,
      seconds: (performance.now() - start) / 1000,
    }
  }

  async #neighbours({ sae: id, latent, count }: Tasks['neighbours']['asked']) {
    const sae = await this.#sae(id)
    if (latent >= sae.latents) throw new NotThereError(`The SAE ${id} has no latent ${latent}; it has ${sae.latents}.`)
    const cosines = onHost(() => {
      const rows = unitRows(sae.decoder())
      const own = rows.slice([latent, 0], [1, rows.shape[1]]) as Tensor2D
      return tf.matMul(rows, own, false, true).dataSync<'float32'>().slice() as Float32Array
    })
    return topOf(cosines, count + 1)
      .filter(({ index }) => index !== latent)
      .slice(0, count)
      .map(({ index, value }) => ({ latent: index, cosine: value }))
  }

  async #compare({ a, b, threshold }: Tasks['compare']['asked'], signal: AbortSignal) {
    const [first, second] = [await this.#sae(a), await this.#sae(b)]
    const found = await compareSaes(first, second, {
      threshold,
      signal,
      draws: first.latents > 1024 ? 0 : 19,
      exactUpTo: 4096,
    })
    return {
      latents: [first.latents, second.latents] as const,
      notices: placesOf(first, second).notices,
      ...{
        mcc: found.mcc,
        mccBound: found.mccBound,
        exact: found.exact,
        shared: found.shared,
        null: found.null,
        p: found.p,
      },
      ...{ match: Array.from(found.match), cosine: Array.from(found.stability) },
      nearest: nearestOf(first, second),
    }
  }

  /** The SAE of a run with its model: what its activations came from, as its lineage records it. */
  async #open(id: string): Promise<{ playground: Playground; tokenizer: Tokenizer }> {
    const found = await findSae(this.#store, id)
    const session = { progress: silent, signal: new AbortController().signal, now: () => new Date() }
    const known = this.#playgrounds.get(id)
    if (known && this.#model) return { playground: known, tokenizer: this.#model.loaded.tokenizer }
    const { directory } = await hashing(session, () => modelOf(this.#store, found, undefined))
    const sae = await this.#sae(id)
    const { model, tokenizer } = await this.#load(directory)
    const playground = new Playground(model, sae)
    this.#playgrounds.set(id, playground)
    return { playground, tokenizer }
  }

  /** One model is kept: another one takes its place. */
  async #load(directory: string): Promise<LoadedModel> {
    if (this.#model?.directory === directory) return this.#model.loaded
    for (const playground of this.#playgrounds.values()) playground.dispose()
    this.#playgrounds.clear()
    this.#model?.loaded.model.dispose()
    this.#model = undefined
    const tokenizer = await loadTokenizer(directory)
    const model = await loadModel(directory)
    checkTokenizer(model, tokenizer)
    this.#model = { directory, loaded: { model, tokenizer } }
    return this.#model.loaded
  }

  async #sae(id: string): Promise<Sae> {
    const sae = this.#saes.get(id) ?? (await loadSaeOf(await findSae(this.#store, id)))
    this.#saes.delete(id)
    this.#saes.set(id, sae)
    for (const [old, other] of this.#saes) {
      if (this.#saes.size <= keptSaes) break
      this.#playgrounds.get(old)?.dispose()
      this.#playgrounds.delete(old)
      this.#saes.delete(old)
      other.dispose()
    }
    return sae
  }
}

/** The text's tokens, with a BOS where the SAE was made from text with one. */
async function tokensOf({ model, sae }: Playground, tokenizer: Tokenizer, text: string): Promise<Int32Array> {
  const ids = await tokenizer.encode(text)
  const { bosToken, context } = model.config
  const bos = sae.metadata.prepend_bos ?? bosToken !== null
  const tokens = bos && bosToken !== null ? Int32Array.from([bosToken, ...ids]) : ids
  const most = Math.min(bounds.tokens, context)
  if (tokens.length > most)
    throw new UserError(`The text has ${tokens.length} tokens; at most ${most} are read.`, { fix: 'Shorten it.' })
  if (tokens.length < 2)
    throw new UserError(`The text has ${tokens.length} token; position 0 is not read.`, { fix: 'Write more.' })
  return tokens
}

async function oneToken(tokenizer: Tokenizer, text: string): Promise<number> {
  const ids = await tokenizer.encode(text)
  if (ids.length === 1) return ids[0]!
  throw new UserError(
    `${JSON.stringify(text)} is ${counted(ids.length, 'token', 'tokens')} (${Array.from(ids, id => tokenizer.token(id)).join(', ')}).`,
    {
      fix: 'Name one token, with its space where it begins a word.',
    },
  )
}

const token = (id: number, tokenizer: Tokenizer) => ({ id, text: tokenizer.token(id) })
const shown = (tokens: Int32Array, tokenizer: Tokenizer) => Array.from(tokens, id => token(id, tokenizer))

/** The largest activation of each latent, and where it is from. */
function unitsOf({ sae, known }: { readonly sae: string; readonly known: Known | null }) {
  const from = known === null ? 'none' : `${known.run}, largest activation on the text that was labelled`
  return {
    from,
    of(latent: number): number {
      const largest = known?.maxActivation[latent]
      if (largest === undefined) throw needsLabels(sae, 'Strength is counted in multiples of the largest activation')
      if (largest > 0) return largest
      throw new UserError(`Latent ${latent} never fired on the text that was labelled, so its strength has no unit.`, {
        fix: 'Label the SAE on more text, or scale or ablate the latent.',
      })
    },
    known: (latent: number) => known?.maxActivation[latent] ?? null,
  }
}

const needsLabels = (sae: string, why: string) =>
  new UserError(`${why}, which no label run of ${sae} tells.`, { fix: `pipeline label --sae ${sae}` })

const unitRows = (rows: Tensor2D) => tf.divNoNan(rows, rows.norm('euclidean', 1, true)) as Tensor2D

/** For each latent of B the latent of A that is nearest by |cosine|; −1 for a row of zeros. */
function nearestOf(a: Sae, b: Sae): { latent: number[]; cosine: number[] } {
  const piece = 1024
  const latent: number[] = []
  const cosine: number[] = []
  for (let start = 0; start < b.latents; start += piece)
    onHost(() => {
      const rows = b.decoder().slice([start, 0], [Math.min(piece, b.latents - start), b.outputs]) as Tensor2D
      const { values, indices } = tf.topk(tf.matMul(unitRows(rows), unitRows(a.decoder()), false, true).abs(), 1)
      for (const value of values.dataSync()) cosine.push(Math.min(1, value))
      for (const [i, index] of indices.dataSync().entries()) latent.push(cosine[start + i]! > 0 ? index : -1)
    })
  return { latent, cosine }
}

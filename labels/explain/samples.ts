/**
 * The windows that a language model sees. An explanation is made from discovery text, and scored on validation text: of
 * windows that are of no document, and hold no excerpt, that the explanation was made from.
 */
import { Random } from '../../core/random.ts'
import type { Activations } from '../../latents/activations.ts'
import type { ShownExample } from '../answers.ts'
import { type Example, examplesOf, excerpt, type Occurrences, silentPlaces, windowPeaks } from '../describe/examples.ts'
import { storedOf } from '../tables.ts'
import type { ExplainConfig } from './config.ts'
import { firesAt } from './prompts/marks.ts'

/** One with tokens marked, rightly or not. */
export interface FuzzedExample extends ShownExample {
  readonly marks: ReadonlySet<number>
  readonly right: boolean
}

/** What a latent is explained from, and what the explanation is scored on. */
export interface Samples {
  readonly latent: number
  readonly explain: readonly ShownExample[]
  readonly positives: readonly ShownExample[]
  readonly negatives: readonly ShownExample[]
  readonly fuzzed: readonly FuzzedExample[]
  readonly simulated: readonly ShownExample[]
}

export interface SampleText {
  readonly discovery: Activations
  readonly validation: Activations
  /** Of validation text. */
  readonly occurrences: Occurrences
  readonly tokenText: (token: number) => string
}

/** Bands of equal count that positives are drawn from. */
const bands = 5

/** Draws the windows of a latent; undefined where it fires in no window of one of the halves that may be shown. */
export function samplesOf(text: SampleText, latent: number, config: ExplainConfig, seed: number): Samples | undefined {
  const { discovery, validation, occurrences, tokenText } = text
  const random = new Random(seed, 'explain', latent)
  const shown =
    (activations: Activations) =>
    (example: Example): ShownExample => {
      const { group, window, position, start, tokens } = storedOf(activations, example, tokenText)
      const band = /^band-(\d+)$/.exec(group)?.[1]
      return { group, band: Number(band ?? 0), window, position, start, tokens, activations: [...example.activations] }
    }
  const top = Math.ceil(config.explainExamples / 2)
  const perBand = Math.ceil((config.explainExamples - top) / bands)
  const drawn = examplesOf(discovery, latent, { top, bands, perBand, context: config.context, silent: 0 }, seed)
  const chosen = drawn.slice(0, config.explainExamples)
  const taken = windowsToLeave(text, chosen)
  const peaks = windowPeaks(validation, latent)
    .filter(({ window }) => !taken.has(window))
    .sort((a, b) => a.activation - b.activation || a.window - b.window)
  if (chosen.length === 0 || peaks.length === 0) return undefined

  const positives: Example[] = []
  for (let band = 0; band < bands; band++) {
    const from = Math.floor((band * peaks.length) / bands)
    const to = Math.floor(((band + 1) * peaks.length) / bands)
    const wanted =
      Math.floor(((band + 1) * config.scoreExamples) / bands) - Math.floor((band * config.scoreExamples) / bands)
    for (const peak of random.sample(peaks.slice(from, to), wanted))
      positives.push(excerpt(validation, latent, peak, { ...noBand, group: `band-${band + 1}` }, config.context))
  }
  const hardTokens = tokensOf(validation, latent)
  const hard = silentPlaces(validation, latent, occurrences, Math.floor(config.scoreExamples / 2), random, {
    ...{ tokens: hardTokens, taken },
  })
  const easy = silentPlaces(validation, latent, occurrences, config.scoreExamples - hard.length, random, { taken })
  const silent = (group: string) => (place: (typeof easy)[number]) =>
    excerpt(validation, latent, { ...place, activation: 0 }, { ...noBand, group }, config.context)
  const negatives = [...hard.map(silent('silent-same-token')), ...easy.map(silent('silent'))]
  const [yes, no] = [positives.map(shown(validation)), negatives.map(shown(validation))]
  const half = Math.ceil(config.simulated / 2)
  return {
    ...{ latent, explain: chosen.map(shown(discovery)), positives: yes, negatives: no },
    fuzzed: random.shuffle(fuzz(yes, random)),
    simulated: [...random.sample(yes, half), ...random.sample(no, config.simulated - half)],
  }
}

const noBand = { rank: 0, low: null, high: null, share: null }

/** Validation windows that share a document, or a whole excerpt, with what the explanation is made from. */
function windowsToLeave({ discovery, validation }: SampleText, chosen: readonly Example[]): Set<number> {
  const documents = new Set(chosen.flatMap(({ window }) => [...discovery.windows[window]!.documents]))
  const excerpts = chosen.map(({ window, start, activations }) => {
    const { tokens } = discovery.windows[window]!
    return ` ${tokens.subarray(start, start + activations.length).join(' ')} `
  })
  const left = new Set<number>()
  validation.windows.forEach((window, w) => {
    const text = ` ${window.tokens.join(' ')} `
    if (window.documents.some(document => documents.has(document)) || excerpts.some(one => text.includes(one)))
      left.add(w)
  })
  return left
}

/** Tokens at which a latent fires, those with most activation first. */
function tokensOf({ windows, offsets, window, position, value }: Activations, latent: number): number[] {
  const mass = new Map<number, number>()
  for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++) {
    const token = windows[window[e]!]!.tokens[position[e]!]!
    mass.set(token, (mass.get(token) ?? 0) + value[e]!)
  }
  return [...mass]
    .sort(([a, x], [b, y]) => y - x || a - b)
    .slice(0, 10)
    .map(([token]) => token)
}

/** Every second positive with marks on as many other tokens, the others with marks where the latent fires. */
function fuzz(positives: readonly ShownExample[], random: Random): FuzzedExample[] {
  return random.shuffle([...positives]).flatMap((example, i): FuzzedExample[] => {
    const fires = example.tokens.map((_, at) => at).filter(firesAt(example))
    if (i % 2 === 0) return [{ ...example, marks: new Set(fires), right: true }]
    const silent = example.tokens.map((_, at) => at).filter(at => !(example.activations[at]! > 0))
    if (silent.length === 0) return []
    return [{ ...example, marks: new Set(random.sample(silent, fires.length)), right: false }]
  })
}

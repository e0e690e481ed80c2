/** Claims: hypothesis, metric, direction, smallest effect, controls and power of each latent, before it is measured. */
import { uniformOf } from '../../core/random.ts'
import type { TokenWindow } from '../../datasets/document.ts'
import { type Activations, activationsIn, activeWindows, firstPosition, valuesOf } from '../../latents/activations.ts'
import { quantile } from '../../statistics/descriptive.ts'
import type { ValidateConfig } from '../config.ts'
import type { Claim } from '../evidence.ts'
import type { ClaimDocument, Intervention } from '../rows.ts'
import type { Candidate } from './choose.ts'
import type { StatedClaim } from './claim-file.ts'
import { mainEdits } from './edits.ts'
import { type Target, topTokens } from './targets.ts'

/** Documents for the two interventions on a latent. */
export interface ClaimDocuments {
  /** The latent is active at a position that is measured. */
  readonly ablate: readonly ClaimDocument[]
  /** The latent is silent; where too few are, the rest are those that come next by the same lot. */
  readonly steer: readonly ClaimDocument[]
}

/** Windows that were cut before: what is known of one is kept beside it. */
const cut = new WeakMap<TokenWindow, TokenWindow>()

/** The window as interventions see it: its first `positions` tokens. */
export function cutWindow(window: TokenWindow, positions: number): TokenWindow {
  if (window.tokens.length <= positions) return window
  const known = cut.get(window)
  if (known?.tokens.length === positions) return known
  const made = {
    ...window,
    tokens: window.tokens.slice(0, positions),
    documents: window.documents.slice(0, positions),
    offsets: window.offsets.slice(0, positions),
  }
  cut.set(window, made)
  return made
}

/** What windows are drawn for: a latent, or something that fires like one. */
export interface Draw {
  /** Most windows for each intervention. */
  readonly documents: number
  readonly positions: number
  readonly seed: number
  /** What the lot depends on besides seed and window. */
  readonly lot: string | number
  /** The document that a window is of. */
  readonly unitOf: (window: TokenWindow) => string
}

/**
 * Windows drawn by a lot that depends on seed and window alone, not on how active the latent is. Windows of documents that
 * were not drawn yet come first, so that there are as many documents as can be.
 */
export function drawDocuments(validation: Activations, latent: number, draw: Draw): ClaimDocuments {
  return {
    ablate: drawFor.ablate(validation, latent, draw),
    steer: drawFor.steer(validation, latent, draw),
  }
}

/** The documents of one intervention alone. */
export const drawFor: Readonly<Record<Intervention, typeof activeDocuments>> = {
  ablate: activeDocuments,
  steer: silentDocuments,
}

/** Those in which the latent is active at a position that is measured. */
function activeDocuments(validation: Activations, latent: number, draw: Draw): ClaimDocument[] {
  const measured = new Set(windowsMeasured(validation, latent, draw.positions))
  const active = inLot(validation.windows, draw).filter(w => measured.has(w))
  return documentsAt(validation, latent, inRounds(active, validation.windows, draw), draw)
}

/** Those in which it is silent, then others. */
function silentDocuments(validation: Activations, latent: number, draw: Draw): ClaimDocument[] {
  const { windows } = validation
  const active = new Set(activeWindows(validation, latent))
  const drawn = (places: readonly number[]) => inRounds(places, windows, draw)
  const all = inLot(windows, draw).filter(w => windows[w]!.tokens.length > firstPosition + 1)
  const places = [...drawn(all.filter(w => !active.has(w))), ...drawn(all.filter(w => active.has(w)))]
  return documentsAt(validation, latent, places, draw)
}

/** The first of these windows, with what the latent says in them. */
function documentsAt(
  validation: Activations,
  latent: number,
  places: readonly number[],
  { documents, positions, unitOf }: Draw,
): ClaimDocument[] {
  return places.slice(0, documents).map(w => {
    const window = cutWindow(validation.windows[w]!, positions)
    const last = window.tokens.length - 1 // the last position predicts nothing that is measured
    const all = activationsIn(validation, latent, w)
    return {
      document: unitOf(validation.windows[w]!),
      window,
      activations: new Map([...all].filter(([position]) => position < last)),
    }
  })
}

/** Windows in which a latent is active at a position that is measured: among the first ones, and not the last of them. */
function windowsMeasured(
  { windows, offsets, window, position }: Activations,
  latent: number,
  positions: number,
): number[] {
  const found: number[] = []
  for (let e = offsets[latent]!; e < offsets[latent + 1]!; e++) {
    const w = window[e]!
    if (found[found.length - 1] === w) continue
    if (position[e]! < Math.min(windows[w]!.tokens.length, positions) - 1) found.push(w)
  }
  return found
}

/** The order that windows were last drawn in: all tied controls of a run have the same lot. */
const lastDrawn = new WeakMap<readonly TokenWindow[], { readonly key: string; readonly order: readonly number[] }>()

/** All windows' places in the order of their lots. */
function inLot(windows: readonly TokenWindow[], { seed, lot }: Draw): readonly number[] {
  const key = `${seed} ${typeof lot} ${lot}`
  const known = lastDrawn.get(windows)
  if (known?.key === key) return known.order
  const drawn = windows.map(({ id }) => uniformOf(seed, 'documents', lot, id))
  const order = windows.map((_, place) => place).sort((a, b) => drawn[a]! - drawn[b]! || a - b)
  lastDrawn.set(windows, { key, order })
  return order
}

/** Places in rounds: in each round the next place of every document that has any left. */
function inRounds(places: readonly number[], windows: readonly TokenWindow[], { unitOf }: Draw): number[] {
  const seen = new Map<string, number>()
  const rounds: number[][] = []
  for (const place of places) {
    const unit = unitOf(windows[place]!)
    const round = seen.get(unit) ?? 0
    seen.set(unit, round + 1)
    const own = rounds[round]
    if (own) own.push(place)
    else rounds.push([place])
  }
  return rounds.flat()
}

/** What a claim is made of, all of it fixed before anything is measured. */
export interface ClaimParts {
  readonly candidate: Candidate
  readonly concept: string | null
  readonly target: Target
  readonly discovery: Activations
  readonly documents: ClaimDocuments
  /** How many controls of each kind were drawn. */
  readonly controls: Readonly<Record<string, number>>
  readonly selection: Claim['selection']
  /** `heldShare` of the latent. */
  readonly held: number | null
  /** What a file of claims says of the latent; undefined where none does. */
  readonly stated: StatedClaim | undefined
  readonly config: ValidateConfig
}

/** The claim of a latent. */
export function claimOf(parts: ClaimParts): Claim {
  const { candidate, concept, target, discovery, documents, controls, selection, stated, config } = parts
  const values = valuesOf(discovery, candidate.latent)
  const about = concept === null ? 'the tokens that follow where it is active' : `the tokens that follow ${concept}`
  const { kind, positions } = mainEdits(config)[config.primary]
  const place = positions === 'active' ? ' where it is active' : ''
  const action = `${kind.doing}${place} ${config.primary === 'ablate' ? 'lowers' : 'raises'}`
  const rounded = (value: number) => Number(value.toPrecision(6))
  return {
    feature: candidate.latent,
    stated: stated ? 'file' : 'settings',
    concept,
    hypothesis:
      stated?.hypothesis ??
      `Latent ${candidate.latent} makes the model expect ${about}: ${action} their log-probability by more than controls of equal norm do${concept === null ? '' : `, and its activation tells tokens with ${concept} from others`}.`,
    metric: 'target',
    primary: config.primary,
    direction: stated?.direction ?? (config.primary === 'ablate' || config.dose < 0 ? 'decrease' : 'increase'),
    smallestEffect: stated?.smallestEffect ?? config.smallestEffect,
    alpha: stated?.alpha ?? config.alpha,
    power: stated?.power ?? config.power,
    controls: { ...controls },
    strata: { ...stated?.strata },
    falsifiers: [...(stated?.falsifiers ?? [])],
    target: {
      source: target.source,
      separation: rounded(target.separation),
      counted: target.counted,
      tokens: topTokens(target.weights, 12).map(({ token, weight }) => ({ token, weight: rounded(weight) })),
    },
    discovery: {
      density: values.length / discovery.tokens,
      auroc: concept === null ? null : candidate.auroc,
      unit: values.length > 0 ? quantile(values, 0.99) : 0,
      maximum: values.reduce((max, value) => Math.max(max, value), 0),
      held: parts.held === null ? null : rounded(parts.held),
    },
    selection,
    dose: config.dose,
    doses: [...new Set([...config.doses, config.dose])].sort((a, b) => a - b),
    documents: {
      ablate: unique(documents.ablate),
      steer: unique(documents.steer),
    },
  }
}

/** Ids of the documents, once each. */
function unique(documents: readonly ClaimDocument[]): string[] {
  return [...new Set(documents.map(({ document }) => document))]
}

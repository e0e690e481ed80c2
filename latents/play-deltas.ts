/** What a request of the playground adds to a text: the edits together, and each of their controls, which add as much elsewhere. */
import { UserError } from '../core/errors.ts'
import { reconstructs, type Sae } from '../sae/sae.ts'
import {
  amountsOf,
  type Changed,
  changeOf,
  deltaOfChanges,
  foreignLatents,
  type PlayEdit,
  randomDirections,
  unit,
} from './play-edits.ts'
import type { PlayText } from './play-text.ts'

/** What is asked of an edit. */
export interface PlayRequest {
  readonly edits: readonly PlayEdit[]
  readonly random: number
  readonly foreign: number
  readonly seed: number
  /** The largest activation of a latent, in which strengths are counted; throws where it is not known. */
  readonly unitOf: (latent: number) => number
}

/** The edits, or one of their controls. */
export interface PlayKind {
  readonly kind: 'edit' | 'random' | 'foreign'
  /** Which control of its kind (a latent's number for foreign ones); null for the edits. */
  readonly id: number | null
}

/** What is added to a text. */
export interface PlayedDeltas {
  readonly changes: readonly Changed[]
  /** For each of `kinds` [length · width]. */
  readonly deltas: readonly Float32Array[]
  readonly kinds: readonly PlayKind[]
  /** Mean ‖Δx‖ over edited positions. */
  readonly norms: readonly number[]
  /** First edited position; the last of the text where nothing is edited. */
  readonly first: number
}

/** An SAE and its decoder rows. */
export interface PlayedSae {
  readonly sae: Sae
  /** Decoder row of a latent [outputs]. */
  readonly decoderRow: (latent: number) => Float32Array
}

/**
 * Changes of the edits, and what they and each control add [length · width]; `fixed` are controls that were chosen already. A `UserError`
 * where the SAE writes another site than it reads.
 */
export function playedDeltas(
  { sae, decoderRow }: PlayedSae,
  text: Pick<PlayText, 'tokens' | 'firing'>,
  request: PlayRequest,
  fixed?: readonly PlayKind[],
): PlayedDeltas {
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
  const own = deltaOfChanges(changes, decoderRow, length, sae.outputs)
  const amounts = amountsOf(own, changes, length)
  const edited = new Set(edits.map(({ latent }) => latent))
  const kinds: readonly PlayKind[] = fixed ?? [
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
    const direction = kind === 'random' ? directions[id!]! : (unit(decoderRow(id!)) ?? directions[0]!)
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

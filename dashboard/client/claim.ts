/** A claim as a file of claims states it, from an edit of the playground: what `pipeline validate --claimsFile` reads. */
import type { ClaimText, Direction, Kind } from './play-state.ts'

/** What the claim is about. */
export interface Edited {
  readonly latent: number
  readonly kind: Kind
  readonly strength: number
}

/** How validate calls an edit; null for those that it does not test. */
export const interventionOf = (kind: Kind): 'ablate' | 'steer' | null =>
  kind === 'ablate' ? 'ablate' : kind === 'add' ? 'steer' : null

/** Which way an edit should move what the latent speaks for. */
export const usualDirection = ({ kind, strength }: Edited): Direction =>
  kind === 'ablate' || strength < 0 ? 'decrease' : 'increase'

/** Characters that steer what is seen, which a file of text should not hold. */
const unseen = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/** A text between quotes as YAML and JSON have it. */
const quoted = (text: string) =>
  JSON.stringify(text).replace(unseen, one => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** The text of the file; `written` is a time in UTC. Texts stand quoted, so that they are texts whatever they hold. */
export function claimText(
  edit: Edited,
  { hypothesis, concept, direction, smallest }: ClaimText,
  written: string,
): string {
  const way = direction || usualDirection(edit)
  const said =
    hypothesis.trim() ||
    `${edit.kind === 'ablate' ? 'Ablating' : 'Steering'} latent ${edit.latent} makes what it speaks for ${way === 'decrease' ? 'less' : 'more'} likely.`
  const lines = [
    'schema: 1',
    `written: ${written}`,
    'claims:',
    `  - latents: [${edit.latent}]`,
    `    hypothesis: ${quoted(said)}`,
    `    concept: ${concept.trim() === '' ? 'null' : quoted(concept.trim())}`,
    '    metric: target',
    `    intervention: ${interventionOf(edit.kind)}`,
    `    direction: ${way}`,
    `    smallestEffect: ${smallest}`,
  ]
  return `${lines.join('\n')}\n`
}

/** The command that tests it. A dose is in units of the latent's p99 activation, a little less than its largest. */
export function claimCommand({ kind, strength }: Edited, sae: string): string {
  const dose = interventionOf(kind) === 'steer' && strength !== 1 ? ` --dose ${strength}` : ''
  return `pipeline validate --sae ${sae} --claimsFile claim.yaml${dose}`
}

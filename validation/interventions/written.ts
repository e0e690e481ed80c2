/** Interventions as settings write them: `zero`, `set:2`, `scale:0.5@all`, `add:-1@last`, `set@1-8`. */
import { nearest } from '../../core/nearest.ts'
import { interventionKinds } from './index.ts'
import type { InterventionKind } from './intervention.ts'
import { type Positions, readPositions } from './positions.ts'

/** A kind with its strength and places. */
export interface Written {
  /** As it was written. */
  readonly text: string
  readonly kind: InterventionKind
  /** 0 for a kind that has none. */
  readonly strength: number
  readonly positions: Positions
}

/** Reads `kind[:strength][@positions]`; a sentence that says what is wrong where it cannot. */
export function readIntervention(text: string): Written | string {
  const [head, place, ...more] = text.split('@')
  const [name, amount, ...rest] = head!.split(':')
  if (more.length > 0 || rest.length > 0) return `“${text}” is not of the form kind:strength@positions.`
  const kind = Object.hasOwn(interventionKinds, name!) ? interventionKinds[name!] : undefined
  if (!kind) {
    const names = Object.keys(interventionKinds)
    const [near] = nearest(name!, names)
    return `“${name}” is no intervention${near ? ` (did you mean ${near}?)` : ''}: there are ${names.join(', ')}.`
  }
  const strength = amount === undefined ? (kind.strength ?? 0) : Number(amount)
  if (amount !== undefined && kind.strength === null) return `“${text}” names a strength, but ${name} has none.`
  if (amount === '' || !Number.isFinite(strength)) return `“${amount}” in “${text}” is no strength.`
  const positions = place === undefined ? kind.positions : readPositions(place)
  if (positions === undefined)
    return `“${place}” in “${text}” names no positions: all, last, active, or a span such as 1-8.`
  if (positions === 'active' && kind.takes === 'in')
    return `“${text}” cannot be: ${name} is done where the latent is silent, at all, last or a span.`
  return { text, kind, strength, positions }
}

/** Reads what the schema of settings has let through. */
export function writtenIntervention(text: string): Written {
  const found = readIntervention(text)
  if (typeof found === 'string') throw new Error(found)
  return found
}

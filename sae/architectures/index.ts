/** Every SAE architecture that can be trained, by name. */
import { UserError } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'
import type { Architecture } from '../architecture.ts'
import { abstopk } from './abstopk.ts'
import { batchtopk } from './batchtopk.ts'
import { crossLayer } from './cross-layer.ts'
import { crosscoder } from './crosscoder.ts'
import { gated } from './gated.ts'
import { jumprelu } from './jumprelu.ts'
import { matchingPursuit } from './matching-pursuit.ts'
import { matryoshka } from './matryoshka.ts'
import { pAnneal } from './p-anneal.ts'
import { standard } from './standard.ts'
import { topk } from './topk.ts'
import { skipTranscoder, transcoder } from './transcoder.ts'

export const architectures = {
  topk,
  abstopk,
  batchtopk,
  matryoshka,
  jumprelu,
  gated,
  standard,
  'p-anneal': pAnneal,
  'matching-pursuit': matchingPursuit,
  transcoder,
  'skip-transcoder': skipTranscoder,
  crosscoder,
  'cross-layer': crossLayer,
} as const

export type ArchitectureName = keyof typeof architectures

export const architectureNames = Object.keys(architectures) as [ArchitectureName, ...ArchitectureName[]]

/** The architecture of that name; a `UserError` names the nearest one. */
export function architectureOf(name: string): Architecture {
  const found = (architectures as unknown as Record<string, Architecture>)[name]
  if (found) return found
  throw new UserError(`There is no SAE architecture ${name}.`, {
    fix: `Did you mean ${nearest(name, architectureNames, 1)[0]}? There are ${architectureNames.join(', ')}.`,
  })
}

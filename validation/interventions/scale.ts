/** f′ = strength · f: the latent says what it says louder or more quietly. */
import { activationAt, type InterventionKind } from './intervention.ts'

export const scale: InterventionKind = {
  name: 'scale',
  does: 'multiplies the latent by the strength',
  doing: 'scaling it',
  takes: 'away',
  reaches: false,
  strength: 0.5,
  positions: 'active',
  change: (source, position, strength) => (strength - 1) * activationAt(source, position),
}

/** f′ = min(f, strength × p99): the latent is held below a bound. */
import { activationAt, type InterventionKind } from './intervention.ts'

export const clamp: InterventionKind = {
  name: 'clamp',
  does: 'holds the latent to at most the strength, in units of its p99 activation',
  doing: 'holding it below a bound',
  takes: 'away',
  reaches: false,
  strength: 0.25,
  positions: 'active',
  change: (source, position, strength) => Math.min(0, strength * source.unit - activationAt(source, position)),
}

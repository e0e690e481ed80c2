/** f′ = strength × p99: the latent says the same everywhere. */
import { activationAt, type InterventionKind } from './intervention.ts'

export const set: InterventionKind = {
  name: 'set',
  does: 'sets the latent to the strength, in units of its p99 activation',
  doing: 'setting it',
  takes: 'in',
  reaches: false,
  strength: 1,
  positions: 'all',
  change: (source, position, strength) => strength * source.unit - activationAt(source, position),
}

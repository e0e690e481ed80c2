/** f′ = f + strength × p99: the direction is added to what is there. */
import type { InterventionKind } from './intervention.ts'

export const add: InterventionKind = {
  name: 'add',
  does: 'adds the strength to the latent, in units of its p99 activation',
  doing: 'adding it',
  takes: 'in',
  reaches: false,
  strength: 1,
  positions: 'all',
  change: (source, _, strength) => strength * source.unit,
}

/** f′ = 0: the latent is taken away, and what the SAE does not explain stays. */
import { activationAt, type InterventionKind } from './intervention.ts'

export const zero: InterventionKind = {
  name: 'zero',
  does: 'sets the latent to 0',
  doing: 'setting it to 0',
  takes: 'away',
  reaches: false,
  strength: null,
  positions: 'active',
  change: (source, position) => 0 - activationAt(source, position),
}

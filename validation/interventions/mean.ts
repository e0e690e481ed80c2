/** f′ = the latent's mean over text: what it says of this text is taken away, what it says of all text stays. */
import { activationAt, type InterventionKind } from './intervention.ts'

export const mean: InterventionKind = {
  name: 'mean',
  does: 'sets the latent to its mean over discovery text',
  doing: 'setting it to its mean over text',
  takes: 'away',
  reaches: false,
  strength: null,
  positions: 'active',
  change: (source, position) => source.mean - activationAt(source, position),
}

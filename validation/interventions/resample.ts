/** f′ = what the latent says at the same position of another document: a value that it has in text. */
import { activationAt, type InterventionKind } from './intervention.ts'

export const resample: InterventionKind = {
  name: 'resample',
  does: 'sets the latent to what it says at the same position of another document, drawn by lot',
  doing: 'setting it to what it says in another document',
  takes: 'away',
  reaches: false,
  strength: null,
  positions: 'active',
  change: (source, position) => (source.donor.get(position) ?? 0) - activationAt(source, position),
}

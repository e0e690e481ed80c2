/** x ← x − (x·d̂)d̂: the direction is taken out, whatever the latent says; what others write along it goes, too. */
import type { InterventionKind } from './intervention.ts'

export const project: InterventionKind = {
  name: 'project',
  does: 'takes the latent’s direction out of the values, whatever the latent says',
  doing: 'taking its direction out of the values',
  takes: 'away',
  reaches: true,
  strength: null,
  positions: 'active',
  change: (source, position) => 0 - source.reach(position),
}

import { bounds, session } from '../../api/contracts/play.ts'
import { defineRoute } from '../route.ts'

export default defineRoute(session, ({ version, session, compute, runs }) => ({
  tag: null,
  value: () => ({ version, store: runs.store.directory, computes: compute !== undefined, bounds, session }),
}))

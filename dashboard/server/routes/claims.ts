import { hashValue } from '../../../core/hash.ts'
import { claims } from '../../api/contracts/evidence.ts'
import { allClaims } from '../../read/claims.ts'
import { pageOf } from '../../read/cursor.ts'
import { defineRoute } from '../route.ts'

export default defineRoute(claims, async ({ runs }, { query }) => {
  const { tag } = await runs.list()
  return {
    tag,
    async value() {
      const all = await allClaims(runs)
      const { run, verdict, ...asked } = query
      const own = all.claims.filter(claim => run === undefined || claim.run === run)
      const chosen = own.filter(claim => verdict === undefined || claim.verdict === verdict)
      const page = pageOf(chosen, asked, hashValue([tag, run, verdict]))
      const counts: Record<string, number> = {}
      for (const claim of own) counts[claim.verdict] = (counts[claim.verdict] ?? 0) + 1
      return {
        claims: page.entries,
        families: all.families.filter(family => run === undefined || family.run === run),
        ...{ counts, unreadable: all.unreadable, total: page.total, next: page.next },
      }
    },
  }
})

import { hashValue } from '../../../core/hash.ts'
import { drift } from '../../api/contracts/evidence.ts'
import { pageOf } from '../../read/cursor.ts'
import { driftOf } from '../../read/drift.ts'
import { defineRoute } from '../route.ts'

/** Stages whose runs can be compared; another one is refused by `driftOf`, with what would be. */
export default defineRoute(drift, async ({ runs }, { query }) => {
  const [base, now] = await Promise.all(
    [query.base, query.now].map(async id => runs.finished(id, (await runs.find(id)).manifest.stage)),
  )
  const tag = hashValue([base!.manifest.sha256, now!.manifest.sha256])
  return {
    tag,
    async value() {
      const found = await driftOf(runs, base!, now!)
      const page = pageOf(found.shifts, query, tag)
      return {
        ...{ base: base!.manifest.id, now: now!.manifest.id, stage: base!.manifest.stage },
        ...{ changed: found.changed, definitions: { ...found.definitions } },
        ...{ shifts: page.entries, total: page.total, next: page.next },
      }
    },
  }
})

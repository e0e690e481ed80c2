/** What every page does in a browser beyond what its HTML does by itself. */
import { addCopyButtons } from './copy.ts'
import { listenToKeys } from './keys.ts'
import { followLineage } from './lineage.ts'
import { watchRuns } from './live.ts'
import { followMarks } from './marks.ts'
import { addOrigins, answerOrigins } from './origin.ts'
import { followThresholds } from './roc.ts'

/** Gives what stands below `root` its buttons and links. */
export function enliven(root: ParentNode): void {
  addCopyButtons(root)
  addOrigins(root)
  followLineage(root)
  followMarks(root)
  followThresholds(root)
}

enliven(document)
answerOrigins()
listenToKeys()
watchRuns(enliven)

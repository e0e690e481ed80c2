/** The nulls: nothing of theirs is true. */
import type { Null } from '../case.ts'
import { copiedDocument } from './copied-document.ts'
import { loud } from './loud.ts'
import { noiseDecoder } from './noise-decoder.ts'
import { otherSite } from './other-site.ts'
import { permutedRows } from './permuted-rows.ts'
import { randomDecoder } from './random-decoder.ts'
import { shuffledLabels } from './shuffled-labels.ts'
import { turned } from './turned.ts'
import { untrained } from './untrained.ts'
import { untrainedModel } from './untrained-model.ts'

export const nulls = {
  untrained,
  loud,
  'random-decoder': randomDecoder,
  'noise-decoder': noiseDecoder,
  'permuted-rows': permutedRows,
  'shuffled-labels': shuffledLabels,
  'untrained-model': untrainedModel,
  turned,
  'other-site': otherSite,
  'copied-document': copiedDocument,
} satisfies Record<string, Null>

export type NullName = keyof typeof nulls
export const nullNames = Object.keys(nulls) as NullName[]

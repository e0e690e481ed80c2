/** The baselines, by name. */
import type { BaselineName } from '../contracts/baselines.ts'
import type { Baseline } from './baseline.ts'
import { frozenDecoder, frozenEncoder } from './frozen.ts'
import { pca } from './pca.ts'
import { random } from './random.ts'
import { shuffledDecoder } from './shuffled-decoder.ts'
import { untrainedModel } from './untrained-model.ts'

export type { Baseline, BaselineSource, MadeBaseline } from './baseline.ts'

export const baselines: Readonly<Record<BaselineName, Baseline>> = {
  random,
  'shuffled-decoder': shuffledDecoder,
  pca,
  'frozen-decoder': frozenDecoder,
  'frozen-encoder': frozenEncoder,
  'untrained-model': untrainedModel,
}

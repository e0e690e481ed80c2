/** The planted truths, by name. */
import { dormant } from './dormant.ts'
import { mixture } from './mixture.ts'
import { reversing } from './reversing.ts'
import { tokenDetector } from './token-detector.ts'
import type { Truth } from './truth.ts'
import { unread } from './unread.ts'
import { used } from './used.ts'

export const truths = {
  used,
  unread,
  dormant,
  mixture,
  'token-detector': tokenDetector,
  reversing,
} satisfies Record<string, Truth>

export type TruthName = keyof typeof truths
export const truthNames = Object.keys(truths) as TruthName[]

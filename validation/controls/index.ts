/** The kinds of control, by name. */
import { covariance } from './covariance.ts'
import { foreign } from './foreign.ts'
import { matched } from './matched.ts'
import { random } from './random.ts'

export type { Control, ControlDirections, ControlSource } from './control.ts'

export const controls = { random, foreign, matched, covariance } as const
export type ControlKind = keyof typeof controls
export const controlKinds = Object.keys(controls) as ControlKind[]

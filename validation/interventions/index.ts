/** The kinds of intervention, by name: those that take a latent away, then those that put it in. */
import { add } from './add.ts'
import { clamp } from './clamp.ts'
import type { InterventionKind } from './intervention.ts'
import { mean } from './mean.ts'
import { project } from './project.ts'
import { resample } from './resample.ts'
import { scale } from './scale.ts'
import { set } from './set.ts'
import { zero } from './zero.ts'

export const interventionKinds: Readonly<Record<string, InterventionKind>> = {
  zero,
  mean,
  resample,
  project,
  scale,
  clamp,
  set,
  add,
}

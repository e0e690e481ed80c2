/** The plain stepper and the fused one of the same training, from the same weights. */
import { expect } from 'vitest'
import { Random } from '../../../core/random.ts'
import type { Shape } from '../../architecture.ts'
import { architectureOf } from '../../architectures/index.ts'
import { Stepper, type StepSettings } from '../step.ts'
import { fusedStepper } from './index.ts'

/** Fails the test where the training has no fused step. */
export function steppers(name: string, settings: Record<string, unknown>, step: StepSettings, shape: Shape) {
  const architecture = architectureOf(name)
  const own = architecture.config.parse(settings) as Record<string, unknown>
  const parts = () => ({
    architecture,
    own,
    settings: step,
    shape,
    params: architecture.init(shape, own, new Random(0, 'weights')),
    total: 20,
    variance: 3,
  })
  const Fused = fusedStepper(architecture, own, step)
  expect(Fused).toBeDefined()
  return { plain: new Stepper(parts()), fused: new Fused!(parts()) }
}

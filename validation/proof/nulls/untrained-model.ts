/** A model whose weights mean nothing, and an SAE of it. */
import type { Null } from '../case.ts'

export const untrainedModel: Null = {
  text: 'model with random weights, and an SAE of it',
  make: (world, seed) => world.untrainedModel(seed),
}

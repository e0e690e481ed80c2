/**
 * The hand-made world (latents/fake.fixture.ts): six concepts of which everything is known, on a model so small that
 * thousands of claims take minutes.
 */
import { Random } from '../../core/random.ts'
import { onHost } from '../../engine/host.ts'
import { tf } from '../../engine/tf.ts'
import { siteRows } from '../../latents/activations.ts'
import { fakeDataset, fakeModel, fakeSae, vocabularySize } from '../../latents/fake.fixture.ts'
import { randomUnits } from '../claims/tied.ts'
import { tiedSaeLike } from './tied-sae.ts'
import type { UntrainedModel, World } from './world.ts'

const documents = 300

/** The hand-made world. */
export function madeWorld(): World {
  const [model, sae] = [fakeModel(), fakeSae()]
  const world: World = {
    name: 'made',
    model,
    sae,
    dataset: fakeDataset(documents),
    otherSite: undefined,
    settings: { documents: 8, tokens: 4000, maxTokens: 1000 },
    untrainedModel: seed => untrainedModel(world, seed),
    async dispose() {
      model.dispose()
      sae.dispose()
    },
  }
  return world
}

/** The model with random weights, and the dictionary an SAE would learn there: a direction a token, and chance ones. */
async function untrainedModel(world: World, seed: number): Promise<UntrainedModel> {
  const model = fakeModel({ untrained: seed })
  const { width, latents, metadata } = world.sae
  const tokens = Int32Array.from({ length: vocabularySize }, (_, token) => token)
  const rows = onHost(() =>
    siteRows(model, metadata.hook_name, tf.tensor2d(tokens, [1, tokens.length]))
      .dataSync<'float32'>()
      .slice(),
  ) as Float32Array
  const directions = randomUnits(latents, width, new Random(seed, 'chance'))
  for (let token = 0; token < vocabularySize; token++) {
    const row = rows.subarray(token * width, (token + 1) * width)
    const norm = Math.hypot(...row)
    directions.set(
      row.map(value => value / norm),
      token * width,
    )
  }
  const sae = await tiedSaeLike({ ...world, model }, directions, `untrained-model-${seed}`)
  return {
    model,
    sae,
    dispose() {
      sae.dispose()
      model.dispose()
    },
  }
}

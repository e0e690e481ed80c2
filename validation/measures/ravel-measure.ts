/** The measure `ravel`: where its prompts come from, and what its numbers mean. */
import { UserError } from '../../core/errors.ts'
import type { RavelFound } from '../contracts/measures.ts'
import { type EntityPrompt, ravelPrompts, toyworldPrompts } from './entity-prompts.ts'
import type { Measure, MeasureBench } from './measure.ts'
import { judgeRavel, type RavelRow, ravelRows } from './ravel.ts'

export const ravel: Measure<RavelRow, RavelFound> = {
  name: 'ravel',
  question: 'Do latents hold apart what the model knows of an entity?',
  definitions: {
    cause:
      'share of pairs of entities whose answers about the attribute differ in which the answer becomes the other’s, when the latents of its mask are set to the other’s at the entity’s last token; what the SAE does not explain stays',
    isolation: 'share of the answers about every other attribute that stay',
    score: 'mean of cause and isolation',
    entities:
      'those of which the model gives every attribute, in the form it answers most in; others are left out, and so are attributes that it gives of fewer than six entities',
    all: 'with all latents changed: the most that cause can be, and the least isolation',
    values: 'with the value at the site changed as a whole',
  },
  columns: {
    repeat: 'int32',
    attribute: 'string',
    changed: 'string',
    latents: 'int32',
    entities: 'int32',
    pairs: 'int32',
    caused: 'int32',
    others: 'int32',
    kept: 'int32',
  },
  async measure(bench) {
    const { context, inputs, pause } = bench
    const { model, sae, config } = inputs
    const prompts = await promptsFor(bench)
    const note = (text: string) => context.progress.note(text)
    return ravelRows({ model, sae, repeats: config.measures.repeats, seed: context.seed, pause, note }, prompts)
  },
  judge: judgeRavel,
}

async function promptsFor({ context, inputs }: MeasureBench): Promise<EntityPrompt[]> {
  const { model, dataset, tokenizer, ravel: entities } = inputs
  if (!entities) {
    if (dataset.config?.path === 'toyworld') return toyworldPrompts(model.config.bosToken)
    throw new UserError('The measure ravel needs prompts about entities, and the text has none.', {
      fix: 'Name a folder of RAVEL in measures.ravel, or leave the measure out.',
    })
  }
  if (!tokenizer)
    throw new UserError('The measure ravel reads text, and the model has no tokenizer here.', {
      fix: 'Measure a model with its tokenizer, or leave the measure out.',
    })
  return ravelPrompts(entities, tokenizer, model.config, context.seed)
}

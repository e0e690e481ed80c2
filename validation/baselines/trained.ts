/** Baselines that learn: SAEs trained within the validation, on text of which no claim is made. */
import { breathe, type StageContext } from '../../core/stage.ts'
import type { TokenWindow } from '../../datasets/document.ts'
import { throwIfInterrupted, valuesOf } from '../../latents/activations.ts'
import { siteValues } from '../../latents/projections.ts'
import type { Model } from '../../model/model.ts'
import { makeSae } from '../../sae/make.ts'
import type { Sae } from '../../sae/sae.ts'
import { resolveTraining, TrainConfig } from '../../sae/training/config.ts'
import { Learner } from '../../sae/training/learner.ts'
import { makePlan } from '../../sae/training/plan.ts'
import { rowsTensor } from '../../sae/training/prepare.ts'
import { type ActivationSource, RowStream } from '../../sae/training/rows.ts'
import type { Material } from '../claims/plan.ts'
import type { BaselineSource } from './baseline.ts'

/** Rows a step, at most. */
const batchRows = 2048
/** Rows that fresh weights are fitted to. */
const sampleRows = 8192

/** An SAE with the architecture, latents and sparsity of the one under test, trained on the site of a model. */
export async function trainBaseline(
  { context, material, training, tokens, repetition }: BaselineSource,
  model: Model,
  freeze?: 'encoder' | 'decoder',
): Promise<Sae> {
  const site = material.sae.metadata.hook_name
  const rows = await readRows(context, material, model, training)
  const config = TrainConfig.parse({
    ...settingsLike(material),
    latents: material.sae.latents,
    tokens,
    batchTokens: Math.min(batchRows, rows.rows),
    ...(freeze ? { freeze } : {}),
  })
  const resolved = resolveTraining(config)
  // The seed is the draw's: another repetition starts from other weights and sees another order.
  const plan = makePlan(resolved, config, rows, material.seed + 1 + repetition)
  const stream = new RowStream(rows, [site], { rows: plan.rows, seed: plan.orderSeed, bytes: 2 ** 29 })
  const learner = new Learner({ resolved, plan }, await stream.read(0, Math.min(sampleRows, plan.rows)))
  try {
    for (let step = 0; step < plan.steps; step++) {
      await breathe()
      throwIfInterrupted(context.signal)
      const batch = rowsTensor(await stream.read(step * plan.batchTokens, plan.batchTokens), stream.columns)
      try {
        learner.take(batch, {})
      } finally {
        batch.dispose()
      }
    }
    return makeSae({ ...learner.saved(), metadata: { hook_name: site } })
  } finally {
    learner.dispose()
  }
}

/** The architecture and its settings as the SAE's file records them, else a TopK SAE of the same sparsity. */
function settingsLike({ sae, discovery }: Pick<Material, 'sae' | 'discovery'>): Record<string, unknown> {
  const recorded = sae.metadata.pipeline as { architecture?: string; settings?: Record<string, unknown> } | undefined
  if (recorded?.architecture && recorded.settings) return { architecture: recorded.architecture, ...recorded.settings }
  let active = 0
  for (let latent = 0; latent < discovery.latents; latent++) active += valuesOf(discovery, latent).length
  const k = Math.min(sae.latents, Math.max(1, Math.round(active / Math.max(1, discovery.tokens))))
  return { architecture: 'topk', k }
}

/** Values at the site of a model on some text, as training reads them. */
async function readRows(
  { signal }: StageContext,
  { sae, config }: Material,
  model: Model,
  windows: readonly TokenWindow[],
): Promise<ActivationSource> {
  const site = sae.metadata.hook_name
  const options = { batchTokens: config.batchTokens, signal }
  const { values, tokens, width } = await siteValues(model, site, windows, new Float32Array(sae.width), options)
  return {
    rows: tokens,
    sites: [{ name: site, width }],
    readRange: async (_site, start, count) => values.slice(start * width, (start + count) * width),
  }
}

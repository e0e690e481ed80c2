/** The layout of SAEBench, field by field, on a reconstruction that was made up by hand. */
import { beforeAll, expect, test } from 'vitest'
import { startEngine } from '../../engine/engine.ts'
import { fakeSae, latentCount } from '../../latents/fake.fixture.ts'
import type { StratifiedRow } from '../judging/reconstruction.ts'
import { judgeReconstruction } from '../judging/reconstruction.ts'
import { coreFile, ravelFile, sparseProbingFile } from './sae-bench.ts'

beforeAll(() => startEngine())

const row: StratifiedRow = {
  ...{ document: 'd', window: 'd', band: '1-7', strata: [], tokens: 2, predicted: 2, spread: 10, error: 2.5 },
  ...{ guess: 4, product: 5, cosine: 1, ratio: 1.5, nonzero: 2, active: 6, size: 3, norm: 8, guessNorm: 6 },
  ...{ ceClean: 2, ceSpliced: 4, ceZero: 10, ceMean: 10, ceResample: 10 },
  ...{ klSpliced: 1, klZero: 4, klMean: 4, klResample: 4, latents: [0, 1], counts: [2, 1] },
}
const found = judgeReconstruction([row], { latents: latentCount, width: 48, meanFrom: 'discovery' }, 1)

const headOf = (sae: ReturnType<typeof fakeSae>) => ({
  ...{ run: 'run', sae, model: 'm', dataset: 'text', seed: 1, context: 64, milliseconds: 1_700_000_000_000 },
  definitions: { fvu: '…' },
})
const keys = [
  ...['eval_type_id', 'eval_config', 'eval_id', 'datetime_epoch_millis', 'eval_result_metrics', 'eval_result_details'],
  ...['sae_bench_commit_hash', 'sae_lens_id', 'sae_lens_release_id', 'sae_lens_version', 'sae_cfg_dict'],
  'eval_result_unstructured',
]

test('core: every category and its numbers, by hand', () => {
  const sae = fakeSae()
  const file = coreFile(headOf(sae), found, [row], sae)
  expect(Object.keys(file)).toEqual(keys)
  expect(file.eval_result_metrics).toMatchObject({
    model_behavior_preservation: { kl_div_score: 0.75, kl_div_with_ablation: 2, kl_div_with_sae: 0.5 },
    model_performance_preservation: {
      ...{ ce_loss_score: 0.75, ce_loss_with_ablation: 5, ce_loss_with_sae: 2, ce_loss_without_sae: 1 },
    },
    reconstruction_quality: { explained_variance: 0.75, mse: 1.25, cossim: 0.5 },
    shrinkage: { l2_norm_in: 4, l2_norm_out: 3, l2_ratio: 0.75, relative_reconstruction_bias: 0.8 },
    sparsity: { l0: 3, l1: 1.5 },
    token_stats: { total_tokens_eval_reconstruction: 2, total_tokens_eval_sparsity_variance: 2 },
    misc_metrics: {
      freq_over_10_percent: 2 / latentCount,
      normalized_freq_over_10_percent: 1,
      frac_alive: 2 / latentCount,
    },
  })
  const details = file.eval_result_details as Record<string, number>[]
  expect(details).toHaveLength(latentCount)
  // Of a latent that never fires the heuristic, and of an SAE without W_enc what it needs, are not computed: −1.
  expect(details[0]).toMatchObject({
    index: 0,
    feature_density: 1,
    consistent_activation_heuristic: 2,
    encoder_norm: -1,
  })
  expect(details[5]).toMatchObject({ feature_density: 0, consistent_activation_heuristic: -1 })
  expect(details[0]!.max_decoder_cosine_sim).toBeGreaterThan(0.2)
  expect(coreFile(headOf(sae), found, [row], sae).eval_id).toBe(file.eval_id)
  expect(file.eval_id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/)
  sae.dispose()
})

test('sparse probing and RAVEL: one flat level of numbers a category', () => {
  const sae = fakeSae()
  const accuracy = { smallestReliableDifference: 0.1 }
  const probing = sparseProbingFile(headOf(sae), {
    repeats: 3,
    values: { accuracy: 0.9, ...accuracy },
    latents: [{ k: 1, accuracy: 0.7, share: 0.5, ...accuracy }],
    concepts: [{ concept: 'c', level: 'token', values: 0.9, latents: [{ k: 1, accuracy: 0.7 }] }],
  })
  expect(Object.keys(probing)).toEqual(keys)
  expect(probing.eval_result_metrics).toEqual({
    llm: { llm_test_accuracy: 0.9 },
    sae: { sae_test_accuracy: null, sae_top_1_test_accuracy: 0.7 },
  })
  expect(probing.eval_result_details).toEqual([
    { dataset_name: 'text:c', llm_test_accuracy: 0.9, sae_test_accuracy: null, sae_top_1_test_accuracy: 0.7 },
  ])
  const shares = { cause: 1, isolation: 0.5, score: 0.75 }
  const mean = (value: number) => ({ mean: value, smallestReliableDifference: null })
  const ravel = ravelFile(headOf(sae), {
    ...{ repeats: 1, entities: 6, cause: mean(1), isolation: mean(0.5), score: mean(0.75) },
    ...{ attributes: [{ attribute: 'lives', latents: 3, ...shares }], all: shares, values: shares },
  })
  expect(ravel.eval_result_metrics).toEqual({
    ravel: { disentanglement_score: 0.75, cause_score: 1, isolation_score: 0.5 },
  })
  sae.dispose()
})

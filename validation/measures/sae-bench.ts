/**
 * Results in the layout of SAEBench's files (one JSON an evaluation, 0.6), so that what reads those reads ours. Numbers are by our
 * definitions, which `eval_result_unstructured` states, and of our text; −1 is its mark for what was not computed. Its absorption file
 * is about first letters alone, so that there is none of ours.
 */
import { canonicalJson, hashValue } from '../../core/hash.ts'
import { onHost } from '../../engine/host.ts'
import type { ReconstructionRow } from '../../latents/reconstruction-rows.ts'
import type { Sae } from '../../sae/sae.ts'
import { mean } from '../../statistics/descriptive.ts'
import type { ProbingFound, RavelFound } from '../contracts/measures.ts'
import type { ReconstructionFound } from '../judging/reconstruction.ts'

/** What every file says beside its numbers. */
export interface SaeBenchHead {
  /** What the SAE is called. */
  readonly run: string
  readonly sae: Pick<Sae, 'config' | 'metadata' | 'hash'>
  readonly model: string
  readonly dataset: string
  readonly seed: number
  /** Tokens that a window has at most. */
  readonly context: number
  readonly milliseconds: number
  /** What the numbers mean. */
  readonly definitions: Readonly<Record<string, string>>
}

type Json = Readonly<Record<string, unknown>>

/** Not computed. */
const none = -1
/** Latents of which cosines with every other one are computed. */
const mostCompared = 4096

function file(
  type: string,
  head: SaeBenchHead,
  config: Json,
  { metrics, details }: { readonly metrics: Json; readonly details: readonly Json[] },
  more: Json = {},
): Json {
  const content = {
    eval_type_id: type,
    eval_config: config,
    eval_result_metrics: metrics,
    eval_result_details: details,
    sae_bench_commit_hash: 'not of sae_bench: pipeline',
    sae_lens_id: 'custom_sae',
    sae_lens_release_id: head.run,
    sae_lens_version: null,
    sae_cfg_dict: { ...head.sae.config, metadata: head.sae.metadata },
    eval_result_unstructured: { definitions: head.definitions, sae_sha256: head.sae.hash, ...more },
  }
  const { eval_type_id, eval_config, ...rest } = content
  return {
    eval_type_id,
    eval_config,
    eval_id: uuidOf(content),
    datetime_epoch_millis: head.milliseconds,
    ...rest,
  }
}

/** A UUID (version 8) that equal results share. */
function uuidOf(content: Json): string {
  const hash = hashValue(JSON.parse(canonicalJson(content)))
  return `${hash.slice(0, 8)}-${hash.slice(8, 12)}-8${hash.slice(13, 16)}-a${hash.slice(17, 20)}-${hash.slice(20, 32)}`
}

/** The file of the evaluation `core`. */
export function coreFile(
  head: SaeBenchHead,
  found: ReconstructionFound,
  rows: readonly ReconstructionRow[],
  sae: Sae,
): Json {
  const number = (value: number | null) => value ?? none
  const latents = latentDetails(sae, found.density, rows)
  const total = found.density.reduce((sum, share) => sum + share, 0)
  const over = (least: number) => found.density.filter(share => share > least)
  const normalised = (least: number) => (total > 0 ? over(least).reduce((sum, share) => sum + share, 0) / total : none)
  const average = (key: 'max_encoder_cosine_sim' | 'max_decoder_cosine_sim') => {
    const known = latents.map(latent => latent[key]).filter(value => value !== none)
    return known.length > 0 ? mean(known) : none
  }
  const count = found.density.length
  return file(
    'core',
    head,
    {
      ...{ model_name: head.model, llm_dtype: 'float32', batch_size_prompts: none },
      ...{ n_eval_reconstruction_batches: none, n_eval_sparsity_variance_batches: none },
      ...{ dataset: head.dataset, context_size: head.context, compute_kl: true, compute_ce_loss: true },
      ...{ compute_l2_norms: true, compute_sparsity_metrics: true, compute_variance_metrics: true },
      ...{ compute_featurewise_density_statistics: true, compute_featurewise_weight_based_metrics: true },
      ...{ exclude_special_tokens_from_reconstruction: true, verbose: false },
    },
    {
      metrics: {
        model_behavior_preservation: {
          kl_div_score: number(found.klRecoveredZero),
          kl_div_with_ablation: found.klZero,
          kl_div_with_sae: found.klSpliced,
        },
        model_performance_preservation: {
          ce_loss_score: number(found.ceRecoveredZero),
          ce_loss_with_ablation: found.ceZero,
          ce_loss_with_sae: found.ceSpliced,
          ce_loss_without_sae: found.ceClean,
        },
        reconstruction_quality: {
          explained_variance: number(found.explainedVariance),
          mse: number(found.mse),
          cossim: number(found.cosine),
        },
        shrinkage: {
          l2_norm_in: number(found.l2In),
          l2_norm_out: number(found.l2Out),
          l2_ratio: number(found.l2Ratio),
          relative_reconstruction_bias: number(found.relativeBias),
        },
        sparsity: { l0: number(found.l0), l1: number(found.l1) },
        token_stats: {
          total_tokens_eval_reconstruction: found.rows,
          total_tokens_eval_sparsity_variance: found.rows,
        },
        misc_metrics: {
          freq_over_1_percent: over(0.01).length / count,
          freq_over_10_percent: over(0.1).length / count,
          normalized_freq_over_1_percent: normalised(0.01),
          normalized_freq_over_10_percent: normalised(0.1),
          average_max_encoder_cosine_sim: average('max_encoder_cosine_sim'),
          average_max_decoder_cosine_sim: average('max_decoder_cosine_sim'),
          frac_alive: over(0).length / count,
        },
      },
      details: latents,
    },
    { reliability: found.reliability, strata: found.strata, positions: found.positions },
  )
}

/** What is said of each latent. */
function latentDetails(sae: Sae, density: readonly number[], rows: readonly ReconstructionRow[]) {
  const { width, latents } = sae
  const [tokens, windows] = [new Float64Array(latents), new Map<number, Set<string>>()]
  for (const row of rows)
    row.latents.forEach((latent, i) => {
      tokens[latent]! += row.counts[i]!
      windows.set(latent, (windows.get(latent) ?? new Set<string>()).add(row.window))
    })
  const decoder = unitRows(onHost(() => sae.decoder().dataSync<'float32'>() as Float32Array).slice(), width)
  const matrix = sae.params.W_enc
  const bias = sae.params.b_enc?.size === latents ? sae.params.b_enc.dataSync<'float32'>() : undefined
  const encoder =
    matrix?.rank === 2 && matrix.shape[0] === width && matrix.shape[1] === latents
      ? unitRows(
          onHost(() => matrix.transpose().dataSync<'float32'>() as Float32Array),
          width,
        )
      : undefined
  const compared = latents <= mostCompared
  const dot = (a: Float32Array, i: number, b: Float32Array, j: number) => {
    let sum = 0
    for (let k = 0; k < width; k++) sum += a[i * width + k]! * b[j * width + k]!
    return sum
  }
  const nearest = (rowsOf: Float32Array, i: number) => {
    let most = none
    for (let j = 0; j < latents; j++) if (j !== i) most = Math.max(most, dot(rowsOf, i, rowsOf, j))
    return most
  }
  return density.map((share, index) => ({
    index,
    feature_density: share,
    consistent_activation_heuristic: windows.has(index) ? tokens[index]! / windows.get(index)!.size : none,
    encoder_bias: bias ? bias[index]! : none,
    encoder_norm: encoder ? encoder.norms[index]! : none,
    encoder_decoder_cosine_sim: encoder ? dot(encoder.rows, index, decoder.rows, index) : none,
    max_decoder_cosine_sim: compared ? nearest(decoder.rows, index) : none,
    max_encoder_cosine_sim: compared && encoder ? nearest(encoder.rows, index) : none,
  }))
}

/** Rows [count, width] of length 1, and the lengths they had. */
function unitRows(rows: Float32Array, width: number): { rows: Float32Array; norms: number[] } {
  const norms = Array.from({ length: rows.length / width }, (_, i) =>
    Math.hypot(...rows.subarray(i * width, (i + 1) * width)),
  )
  return { rows: rows.map((value, at) => value / Math.max(1e-30, norms[Math.floor(at / width)]!)), norms }
}

/** The file of the evaluation `sparse_probing`; a concept stands for a dataset. */
export function sparseProbingFile(head: SaeBenchHead, found: ProbingFound): Json {
  const sizes = found.latents.map(({ k }) => k)
  const top = (each: readonly { readonly k: number; readonly accuracy: number }[]) =>
    Object.fromEntries(each.map(({ k, accuracy }) => [`sae_top_${k}_test_accuracy`, accuracy]))
  return file(
    'sparse_probing',
    head,
    {
      ...{ random_seed: head.seed, dataset_names: found.concepts.map(({ concept }) => `${head.dataset}:${concept}`) },
      ...{ probe_train_set_size: 1000, probe_test_set_size: 500, context_length: head.context },
      ...{ sae_batch_size: none, llm_batch_size: none, llm_dtype: 'float32', model_name: head.model },
      ...{ k_values: sizes, lower_vram_usage: false },
    },
    {
      metrics: {
        llm: { llm_test_accuracy: found.values.accuracy },
        sae: { sae_test_accuracy: null, ...top(found.latents) },
      },
      details: found.concepts.map(({ concept, values, latents }) => ({
        dataset_name: `${head.dataset}:${concept}`,
        llm_test_accuracy: values,
        sae_test_accuracy: null,
        ...top(latents),
      })),
    },
    { repeats: found.repeats, latents: found.latents, values: found.values },
  )
}

/** The file of the evaluation `ravel`. */
export function ravelFile(head: SaeBenchHead, found: RavelFound): Json {
  return file(
    'ravel',
    head,
    {
      entity_attribute_selection: { [head.dataset]: found.attributes.map(({ attribute }) => attribute) },
      ...{ n_samples_per_attribute_class: none, top_n_entities: found.entities, top_n_templates: 1 },
      ...{ full_dataset_downsample: none, force_dataset_recompute: false, model_name: head.model, model_dir: 'None' },
      ...{ llm_dtype: 'float32', llm_batch_size: none, sae_batch_size: none, probe_coefficients: [] },
      ...{ max_samples_per_attribute: none, n_interventions: none, n_generated_tokens: 1, inv_batch_size: none },
      ...{ random_seed: head.seed, artifact_dir: 'none' },
    },
    {
      metrics: {
        ravel: {
          disentanglement_score: found.score.mean,
          cause_score: found.cause.mean,
          isolation_score: found.isolation.mean,
        },
      },
      details: [],
    },
    { ...found, error_term: 'kept' },
  )
}

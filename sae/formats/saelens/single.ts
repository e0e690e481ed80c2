/** Keys of `cfg.json` that single architectures have: which, of what kind, and how they must fit the weights. */
import { z } from 'zod'
import { UserError } from '../../../core/errors.ts'
import { quote } from '../../../core/quote.ts'
import { attentionLayers } from '../../layers/temporal.ts'

type Json = Readonly<Record<string, unknown>>

const schemas: Readonly<Record<string, z.ZodObject>> = {
  matching_pursuit: z.object({
    residual_threshold: z.number().min(0).default(0.01),
    max_iterations: z.int().min(1).nullable().default(null),
    stop_on_duplicate_support: z.boolean().default(true),
  }),
  temporal: z.object({
    n_heads: z.int().min(1).default(8),
    n_attn_layers: z.int().min(1).default(1),
    bottleneck_factor: z.int().min(1).default(64),
    sae_diff_type: z.enum(['relu', 'topk']).default('topk'),
    kval_topk: z.int().min(1).nullable().default(null),
    tied_weights: z.boolean().default(true),
    activation_normalization_factor: z.number().positive().default(1),
  }),
}

/** Keys that are read of this architecture alone. */
export function singleKeys(architecture: string): string[] {
  return Object.keys(schemas[architecture]?.shape ?? {})
}

/** Their values, with SAELens's own defaults; a `UserError` where one is of another kind. */
export function readSingle(architecture: string, raw: Json, path: string): Json {
  const schema = schemas[architecture]
  if (!schema) return {}
  const parsed = schema.safeParse(raw)
  if (parsed.success) return parsed.data
  const { path: key, message } = parsed.error.issues[0]!
  throw new UserError(`${String(key[0])} in ${path} is ${quote(JSON.stringify(raw[String(key[0])]))}: ${message}.`, {
    fix: 'Set it as SAELens writes it.',
  })
}

type Shapes = Readonly<Record<string, { readonly shape: readonly number[] }>>

/** Throws a `UserError` where a temporal SAE's config is of other weights than these. */
export function mustFitTemporal(config: Json, tensors: Shapes, latents: number, path: string): void {
  const said = (key: string, value: unknown) => {
    if (config[key] !== value)
      throw new UserError(`cfg.json says ${key} is ${String(config[key])}, but by its weights it is ${value}.`, {
        fix: `Correct it in cfg.json beside ${path}.`,
      })
  }
  said('tied_weights', tensors.W_enc === undefined)
  said('n_attn_layers', attentionLayers(Object.keys(tensors)))
  const keys = tensors['attn_layers.0.k_ctx.weight']!.shape[0]!
  said('bottleneck_factor', latents / keys)
  const heads = config.n_heads as number
  if (keys % heads !== 0 || latents % heads !== 0)
    throw new UserError(
      `cfg.json says n_heads is ${heads}, which divides not both ${keys} keys and ${latents} latents.`,
    )
  const k = config.kval_topk as number | null
  if (k !== null && k > latents)
    throw new UserError(`cfg.json says kval_topk is ${k}, but there are only ${latents} latents.`)
}

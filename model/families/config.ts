/** Reading Hugging Face configs: the fields families share, in the older and the newer (transformers 5) form. */
import { z } from 'zod'
import type { Activation } from '../layers/activation.ts'

/** One token id, the first of several, or none. */
const Token = z
  .union([z.int(), z.array(z.int()).min(1)])
  .nullish()
  .transform(value => (Array.isArray(value) ? value[0]! : (value ?? null)))

/** What any config may hold. */
export const Common = z.object({
  vocab_size: z.int().min(1),
  bos_token_id: Token,
  eos_token_id: Token,
})

/** Activation names of configs, and what each is here. */
const activationNames: Record<string, Activation> = {
  gelu: 'gelu',
  gelu_new: 'gelu_new',
  gelu_pytorch_tanh: 'gelu_new',
  gelu_fast: 'gelu_new',
  silu: 'silu',
  swish: 'silu',
  relu: 'relu',
}

/** A config's activation as one of ours. */
export const ActivationName = z
  .string()
  .refine(name => Object.hasOwn(activationNames, name), {
    error: `must be one of ${Object.keys(activationNames).join(', ')}`,
  })
  .transform(name => activationNames[name]!)

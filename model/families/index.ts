/** The model families: a file each, by their `model_type`. */
import { UserError } from '../../core/errors.ts'
import type { Architecture, Outline } from '../architecture.ts'
import { checkSizes, type Shapes } from '../sizes.ts'
import { gemma2, gemma3, gemma3Text } from './gemma.ts'
import { gpt2 } from './gpt2.ts'
import { gptNeox } from './gptNeox.ts'
import { llama } from './llama.ts'
import { mistral } from './mistral.ts'
import { qwen2, qwen3 } from './qwen.ts'

const families: Record<string, (config: unknown) => Outline> = {
  gemma2,
  gemma3,
  gemma3_text: config => gemma3Text(config),
  gpt2,
  gpt_neox: gptNeox,
  llama,
  mistral,
  qwen2,
  qwen3,
}

/** Every `model_type` that can be run. */
export const familyNames: readonly string[] = Object.keys(families).sort()

/**
 * The architecture that a Hugging Face config describes; `where` names the config in errors. Sizes that the shapes of the
 * weights (`given`) rule out are refused before anything is made of them.
 */
export function architectureOf(config: unknown, where = 'config.json', given?: Shapes): Architecture {
  const type = config !== null && typeof config === 'object' && 'model_type' in config ? config.model_type : undefined
  if (typeof type !== 'string' || !Object.hasOwn(families, type))
    throw new UserError(
      type === undefined
        ? `${where} has no model_type.`
        : `The model_type ${JSON.stringify(type)} in ${where} is not known.`,
      { fix: `Known are ${familyNames.join(', ')}.` },
    )
  const { block, ...outline } = families[type]!(config)
  if (given) checkSizes(outline, given, where)
  return { ...outline, blocks: Array.from({ length: outline.config.layers }, (_, layer) => block(layer)) }
}

/** The model families: a file each, by their `model_type`. */
import { UserError } from '../../core/errors.ts'
import type { Architecture, Outline } from '../architecture.ts'
import { checkSizes, type Shapes } from '../sizes.ts'
import { expertsAsGiven } from '../weights.ts'
import { bloom } from './bloom.ts'
import { cohere } from './cohere.ts'
import { falcon } from './falcon.ts'
import { gemma, gemma2, gemma3, gemma3Text } from './gemma.ts'
import { gpt2 } from './gpt2.ts'
import { gptj } from './gptj.ts'
import { gptNeo } from './gptNeo.ts'
import { gptNeox } from './gptNeox.ts'
import { gptOss } from './gptOss.ts'
import { granite } from './granite.ts'
import { llama } from './llama.ts'
import { mistral } from './mistral.ts'
import { mixtral } from './mixtral.ts'
import { olmo, olmo2 } from './olmo.ts'
import { opt } from './opt.ts'
import { phi } from './phi.ts'
import { phi3 } from './phi3.ts'
import { qwen2, qwen3 } from './qwen.ts'
import { qwen2Moe } from './qwen2Moe.ts'
import { smollm3 } from './smollm3.ts'
import { stablelm } from './stablelm.ts'

const families: Record<string, (config: unknown) => Outline> = {
  bloom,
  cohere,
  falcon,
  gemma,
  gemma2,
  gemma3,
  gemma3_text: config => gemma3Text(config),
  gpt2,
  gpt_neo: gptNeo,
  gpt_neox: gptNeox,
  gpt_oss: gptOss,
  gptj,
  granite,
  llama,
  mistral,
  mixtral,
  olmo,
  olmo2,
  opt,
  phi,
  phi3,
  qwen2,
  qwen2_moe: qwen2Moe,
  qwen3,
  smollm3,
  stablelm,
}

/** Every `model_type` that can be run. */
export const familyNames: readonly string[] = Object.keys(families).sort()

/**
 * The architecture that a Hugging Face config describes; `where` names the config in errors. Sizes that the shapes of the
 * weights (`given`) rule out are refused before anything is made of them, and experts are as those have them.
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
  const made = given ? (layer: number) => expertsAsGiven(block(layer), outline, given) : block
  return { ...outline, blocks: Array.from({ length: outline.config.layers }, (_, layer) => made(layer)) }
}

/** The model families: a file each, by their `model_type`. */
import { UserError } from '../../core/errors.ts'
import type { Architecture } from '../architecture.ts'
import { gpt2 } from './gpt2.ts'

const families: Record<string, (config: unknown) => Architecture> = { gpt2 }

/** Every `model_type` that can be run. */
export const familyNames: readonly string[] = Object.keys(families).sort()

/** The architecture that a Hugging Face config describes; `where` names the config in errors. */
export function architectureOf(config: unknown, where = 'config.json'): Architecture {
  const type = config !== null && typeof config === 'object' && 'model_type' in config ? config.model_type : undefined
  if (typeof type !== 'string' || !Object.hasOwn(families, type))
    throw new UserError(
      type === undefined
        ? `${where} has no model_type.`
        : `The model_type ${JSON.stringify(type)} in ${where} is not known.`,
      { fix: `Known are ${familyNames.join(', ')}.` },
    )
  return families[type]!(config)
}

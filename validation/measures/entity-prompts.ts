/** Prompts that ask for attributes of entities: of toyworld, or of files of RAVEL (arXiv:2402.17700). */
import { UserError } from '../../core/errors.ts'
import { Random } from '../../core/random.ts'
import type { Tokenizer } from '../../datasets/tokenizer/index.ts'
import { factPrompts, languages, vocabulary } from '../../datasets/toyworld/index.ts'
import type { Model } from '../../model/model.ts'
import type { RavelEntities } from '../ravel-files.ts'

export interface EntityPrompt {
  readonly entity: string
  readonly attribute: string
  /** Which way of asking; prompts of a form differ in the entity alone. */
  readonly form: string
  /** Token ids, BOS first where the model has one. */
  readonly tokens: Int32Array
  /** Position of the entity's last token. */
  readonly position: number
  /** First token of the right answer. */
  readonly answer: number
}

/** Toyworld's people, and where they live, what they do, like and play, in every form of its first language. */
export function toyworldPrompts(bosToken: number | null): EntityPrompt[] {
  const words = vocabulary as readonly string[]
  return factPrompts({ registers: ['plain'] }).flatMap(({ tokens, answer, strata }): EntityPrompt[] => {
    const [relation, subject] = strata.fact!.split(':') as [string, string]
    if (relation === 'capital' || strata.language !== languages[0]) return []
    const at = tokens.lastIndexOf(words.indexOf(subject))
    if (at < 0) return []
    const ids = bosToken === null ? tokens : Int32Array.from([bosToken, ...tokens])
    const position = bosToken === null ? at : at + 1
    return [{ entity: subject, attribute: relation, form: strata.form!, tokens: ids, position, answer }]
  })
}

/** Entities, and templates of an attribute, that are used at most, by lot. */
const mostEntities = 200
const mostTemplates = 4

/** Behind these a value follows at once: an opening quote or bracket, a slash or a sign. */
const followsAtOnce = /["'“‘([{/-]$/u

/**
 * Prompts about a kind of entities of RAVEL, those that the model's context holds. Left out are values that are empty, attributes
 * that no entity has, and prompts whose tokens run on over the end of the entity or of the template. A `UserError` where none is left.
 */
export async function ravelPrompts(
  { kind, attributes, prompts: templates }: RavelEntities,
  tokenizer: Pick<Tokenizer, 'encodeAll'>,
  { bosToken, context }: Pick<Model['config'], 'bosToken' | 'context'>,
  seed: number,
): Promise<EntityPrompt[]> {
  const random = new Random(seed, 'ravel', kind)
  const all = Object.keys(attributes)
  const names = random.sample(all, Math.min(mostEntities, all.length))
  const prompts = Object.entries(templates).flatMap(([attribute, forms]) =>
    random.sample(forms, Math.min(mostTemplates, forms.length)).flatMap(form => {
      const [before, after] = form.split('%s') as [string, string]
      return names.flatMap(entity => {
        const value = attributes[entity]![attribute]
        if (!value) return []
        const head = `${before}${entity}`
        // A space at the end is the value's: tokens of words hold the space before them.
        const whole = `${head}${after}`.trimEnd()
        return [
          { attribute, form, entity, head, whole, full: `${whole}${followsAtOnce.test(whole) ? '' : ' '}${value}` },
        ]
      })
    }),
  )
  const heads = await tokenizer.encodeAll(prompts.map(({ head }) => head))
  const wholes = await tokenizer.encodeAll(prompts.map(({ whole }) => whole))
  const fulls = await tokenizer.encodeAll(prompts.map(({ full }) => full))
  const bos = bosToken === null ? [] : [bosToken]
  const found = prompts.flatMap(({ attribute, form, entity }, i): EntityPrompt[] => {
    const [head, whole, full] = [heads[i]!, wholes[i]!, fulls[i]!]
    // A word that runs on over the cut is no prompt of its own.
    if (head.some((id, t) => whole[t] !== id) || whole.some((id, t) => full[t] !== id)) return []
    if (full.length === whole.length || head.length === 0 || bos.length + whole.length > context) return []
    const position = bos.length + head.length - 1
    return [
      { entity, attribute, form, tokens: Int32Array.from([...bos, ...whole]), position, answer: full[whole.length]! },
    ]
  })
  if (found.length === 0)
    throw new UserError(
      `Not one of ${prompts.length} prompts about entities of the kind ${kind} can be asked: each is longer than the model’s context of ${context} tokens, or the tokenizer joins what it asks for with its end.`,
      { fix: 'Name another kind in measures.entities, or leave the measure ravel out.' },
    )
  return found
}

/** Prompts that ask for attributes of entities: of toyworld, or of a folder of RAVEL (arXiv:2402.17700). */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import { readJson } from '../../core/files.ts'
import { quote } from '../../core/quote.ts'
import { Random } from '../../core/random.ts'
import type { Tokenizer } from '../../datasets/tokenizer/index.ts'
import { factPrompts, languages, vocabulary } from '../../datasets/toyworld/index.ts'

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

/** Entities and templates of a file that are used at most, by lot. */
const mostEntities = 200
const mostTemplates = 4

/** The entities of one kind (`city`) of a folder of RAVEL; `UserError` where it has none such. */
export async function ravelPrompts(
  folder: string,
  kind: string,
  tokenizer: Pick<Tokenizer, 'encodeAll'>,
  bosToken: number | null,
  seed: number,
): Promise<EntityPrompt[]> {
  const read = async <Schema extends z.ZodType>(what: string, schema: Schema): Promise<z.output<Schema>> => {
    const path = join(folder, `ravel_${kind}_${what}.json`)
    if (!existsSync(path))
      throw new UserError(`There is no ${quote(path)}.`, {
        fix: 'Name a folder of RAVEL in measures.ravel, and one of its kinds of entities in measures.entities.',
      })
    return schema.parse(await readJson(path, 'file of RAVEL'))
  }
  const entities = await read('entity_attributes', z.record(z.string(), z.record(z.string(), z.string())))
  const templates = await read('attribute_to_prompts', z.record(z.string(), z.array(z.string())))
  const random = new Random(seed, 'ravel', kind)
  const names = random.sample(Object.keys(entities), Math.min(mostEntities, Object.keys(entities).length))
  const asked = Object.entries(templates).flatMap(([attribute, forms]) => {
    const usable = forms.filter(form => form.split('%s').length === 2)
    return random.sample(usable, Math.min(mostTemplates, usable.length)).map(form => ({ attribute, form }))
  })
  const prompts = asked.flatMap(({ attribute, form }) => {
    const [before, after] = form.split('%s') as [string, string]
    return names.flatMap(entity => {
      const value = entities[entity]![attribute]
      return value === undefined ? [] : [{ attribute, form, entity, head: `${before}${entity}`, after, value }]
    })
  })
  const heads = await tokenizer.encodeAll(prompts.map(({ head }) => head))
  const wholes = await tokenizer.encodeAll(prompts.map(({ head, after }) => `${head}${after}`))
  const answered = await tokenizer.encodeAll(prompts.map(({ head, after, value }) => `${head}${after} ${value}`))
  return prompts.flatMap(({ attribute, form, entity }, i): EntityPrompt[] => {
    const [head, whole, full] = [heads[i]!, wholes[i]!, answered[i]!]
    // A word that runs on over the cut is no prompt of its own.
    if (head.some((id, t) => whole[t] !== id) || whole.some((id, t) => full[t] !== id)) return []
    if (full.length === whole.length || head.length === 0) return []
    const tokens = bosToken === null ? Int32Array.from(whole) : Int32Array.from([bosToken, ...whole])
    const position = head.length - 1 + (bosToken === null ? 0 : 1)
    return [{ entity, attribute, form, tokens, position, answer: full[whole.length]! }]
  })
}

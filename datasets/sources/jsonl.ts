/** Documents of a JSONL file: an object a line with text or tokens, and what is known about them. */
import { z } from 'zod'
import { messageOf, UserError } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'
import type { Document } from '../document.ts'

export interface JsonlFields {
  readonly textField: string
  readonly idField: string
  readonly strataFields: readonly string[]
}

const Tokens = z.array(z.int().min(0)).min(1)
const Concepts = z.array(z.string())
const TokenConcepts = z.array(Concepts)

/**
 * The document of each line; empty lines are skipped. `tokens` (ids) is taken before the text field; `concepts` hold
 * for the document and `token_concepts` for each of its `tokens`. Throws a `UserError` that names file and line.
 */
export function* jsonlDocuments(
  text: string,
  path: string,
  name: string,
  fields: JsonlFields,
  strata: Readonly<Record<string, string>> = {},
): Generator<Document> {
  let line = 0
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start)
    const end = newline < 0 ? text.length : newline
    const content = text.slice(start, end).trim()
    start = end + 1
    line++
    if (content !== '')
      yield parseLine(content, { where: `${path} line ${line}`, name: `${name}-${line}` }, fields, strata)
  }
}

function parseLine(
  content: string,
  { where, name }: { where: string; name: string },
  { textField, idField, strataFields }: JsonlFields,
  fileStrata: Readonly<Record<string, string>>,
): Document {
  let value: unknown
  try {
    value = JSON.parse(content)
  } catch (error) {
    throw new UserError(`${where} is not JSON: ${messageOf(error)}.`, { cause: error })
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new UserError(`${where} is not a JSON object, but a document is one.`)
  const record = value as Record<string, unknown>

  const missing = (field: string, key: string) => {
    const [best] = nearest(field, Object.keys(record), 1)
    return new UserError(`${where} has no field ${field}.`, {
      fix: best === undefined ? `Set dataset.${key}.` : `Set dataset.${key}; the nearest field is ${best}.`,
    })
  }
  const check = <T>(schema: z.ZodType<T>, field: string, rule: string): T => {
    const result = schema.safeParse(record[field])
    if (!result.success) throw new UserError(`${where}: the field ${field} must be ${rule}.`)
    return result.data
  }
  const plain = (field: string, key: string): string => {
    const part = record[field]
    if (part === undefined || part === null) throw missing(field, key)
    if (typeof part === 'object')
      throw new UserError(`${where}: the field ${field} must be a text, a number or a boolean.`)
    return String(part)
  }

  const strata = { ...fileStrata, ...Object.fromEntries(strataFields.map(f => [f, plain(f, 'strataFields')])) }
  const id = record[idField] === undefined && idField === 'id' ? name : plain(idField, 'idField')
  const document = {
    id,
    strata,
    ...(record.concepts !== undefined && { concepts: check(Concepts, 'concepts', 'a list of names') }),
  }

  if (record.tokens !== undefined) {
    const tokens = Int32Array.from(check(Tokens, 'tokens', 'a list of token ids with at least one'))
    const text = typeof record[textField] === 'string' ? { text: record[textField] as string } : {}
    if (record.token_concepts === undefined) return { ...document, ...text, tokens }
    const tokenConcepts = check(TokenConcepts, 'token_concepts', 'a list of lists of names')
    if (tokenConcepts.length !== tokens.length)
      throw new UserError(
        `${where}: token_concepts has ${tokenConcepts.length} entries, but there are ${tokens.length} tokens.`,
      )
    return { ...document, ...text, tokens, tokenConcepts }
  }
  if (record.token_concepts !== undefined)
    throw new UserError(`${where} has token_concepts but no tokens for them to be parallel to.`)
  if (record[textField] === undefined) throw missing(textField, 'textField')
  const text = check(z.string(), textField, 'a text')
  if (text.trim() === '') throw new UserError(`${where}: the field ${textField} is empty.`, { fix: 'Remove the line.' })
  return { ...document, text }
}

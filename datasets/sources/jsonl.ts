/** Documents of a JSONL file: an object a line with text or tokens, and what is known about them. */
import { z } from 'zod'
import { messageOf } from '../../core/errors.ts'
import { nearest } from '../../core/nearest.ts'
import { isNotUtf8, isTooLong } from '../../core/utf8.ts'
import type { Document } from '../document.ts'
import { linesOf } from './lines.ts'
import { DocumentProblem, named, type Place } from './skipped.ts'

export interface JsonlFields {
  readonly textField: string
  readonly idField: string
  readonly strataFields: readonly string[]
}

/** What a line holds, and which it is. */
export interface Line {
  readonly place: Place
  /** A `DocumentProblem` where the line is no document that can be used. */
  readonly document: Document | DocumentProblem
}

const Tokens = z
  .array(
    z
      .int()
      .min(0)
      .max(2 ** 31 - 1),
  )
  .min(1)
const Concepts = z.array(z.string())
const TokenConcepts = z.array(Concepts)

/**
 * The document of each line; empty lines are passed over. `tokens` (ids) is taken before the text field; `concepts` hold
 * for the document and `token_concepts` for each of its `tokens`.
 */
export async function* jsonlDocuments(
  path: string,
  name: string,
  fields: JsonlFields,
  strata: Readonly<Record<string, string>> = {},
): AsyncGenerator<Line> {
  let line = 0
  for await (const bytes of linesOf(path)) {
    line++
    const place = { file: path, line }
    try {
      if (!bytes) throw tooLong(place)
      const content = decode(bytes, place).trim()
      if (content === '') continue
      yield { place, document: parseLine(content, { place, name: `${name}-${line}` }, fields, strata) }
    } catch (error) {
      if (!(error instanceof DocumentProblem)) throw error
      yield { place, document: error }
    }
  }
}

function tooLong(place: Place): DocumentProblem {
  return new DocumentProblem('a text that is too long', place, `${named(place)} is too long to be read as one text.`, {
    fix: 'Cut the document into several.',
  })
}

function decode(bytes: Uint8Array, place: Place): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    if (isTooLong(error)) throw tooLong(place)
    if (!isNotUtf8(error)) throw error
    throw new DocumentProblem('bytes that are not UTF-8', place, `${named(place)} is not UTF-8.`, {
      fix: 'Convert the file to UTF-8.',
    })
  }
}

function parseLine(
  content: string,
  called: Called,
  fields: JsonlFields,
  fileStrata: Readonly<Record<string, string>>,
): Document {
  const { place } = called
  let value: unknown
  try {
    value = JSON.parse(content)
  } catch (error) {
    throw new DocumentProblem('a line that is not JSON', place, `${named(place)} is not JSON: ${messageOf(error)}.`)
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new DocumentProblem(
      'a line that is not an object',
      place,
      `${named(place)} is not a JSON object, but a document is one.`,
    )
  return documentOf(value as Record<string, unknown>, called, fields, fileStrata)
}

/** Where a record stands, and what its document is called if it says nothing of that. */
interface Called {
  readonly place: Place
  readonly name: string
}

/** The document that a record is; a `DocumentProblem` where it is none that can be used. */
export function documentOf(
  record: Readonly<Record<string, unknown>>,
  { place, name }: Called,
  { textField, idField, strataFields }: JsonlFields,
  fileStrata: Readonly<Record<string, string>>,
): Document {
  const missing = (field: string, key: string) => {
    const [best] = nearest(field, Object.keys(record), 1)
    return new DocumentProblem(
      `no ${field}`,
      place,
      record[field] === null
        ? `${named(place)}: the field ${field} is null.`
        : `${named(place)} has no field ${field}.`,
      {
        fix:
          best === undefined || best === field
            ? `Name another field with dataset.${key}.`
            : `Set dataset.${key}; the nearest field is ${best}.`,
      },
    )
  }
  const wrong = (field: string, rule: string) =>
    new DocumentProblem(`a wrong ${field}`, place, `${named(place)}: the field ${field} must be ${rule}.`)
  const check = <T>(schema: z.ZodType<T>, field: string, rule: string): T => {
    const result = schema.safeParse(record[field])
    if (!result.success) throw wrong(field, rule)
    return result.data
  }
  const textOf = (field: string): string => {
    const text = record[field] as string
    if (/\p{Cs}/u.test(text))
      throw new DocumentProblem(
        `half a character in ${field}`,
        place,
        `${named(place)}: the field ${field} has half of a surrogate pair, which is no character.`,
      )
    return text
  }
  const plain = (field: string, key: string): string => {
    const part = record[field]
    if (part === undefined || part === null) throw missing(field, key)
    if (typeof part === 'object') throw wrong(field, 'a text, a number or a boolean')
    if (Number.isInteger(part) && !Number.isSafeInteger(part))
      throw new DocumentProblem(
        `a number that is too large for ${field}`,
        place,
        `${named(place)}: the field ${field} is a whole number beyond ${Number.MAX_SAFE_INTEGER.toLocaleString('en')}, where JSON numbers that differ are read as the same.`,
        { fix: `Write ${field} as a text, or name another field with dataset.${key}` },
      )
    return typeof part === 'string' ? textOf(field) : String(part)
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
    const text = typeof record[textField] === 'string' ? { text: textOf(textField) } : {}
    if (record.token_concepts === undefined) return { ...document, ...text, tokens }
    const tokenConcepts = check(TokenConcepts, 'token_concepts', 'a list of lists of names')
    if (tokenConcepts.length !== tokens.length)
      throw new DocumentProblem(
        'a wrong token_concepts',
        place,
        `${named(place)}: token_concepts has ${tokenConcepts.length} entries, but there are ${tokens.length} tokens.`,
      )
    return { ...document, ...text, tokens, tokenConcepts }
  }
  if (record.token_concepts !== undefined)
    throw new DocumentProblem(
      'a wrong token_concepts',
      place,
      `${named(place)} has token_concepts but no tokens for them to be parallel to.`,
    )
  if (record[textField] === undefined || record[textField] === null) throw missing(textField, 'textField')
  if (typeof record[textField] !== 'string') throw wrong(textField, 'a text')
  const text = textOf(textField)
  if (text.trim() === '')
    throw new DocumentProblem(`an empty ${textField}`, place, `${named(place)}: the field ${textField} is empty.`)
  return { ...document, text }
}

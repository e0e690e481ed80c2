/**
 * The files of RAVEL (arXiv:2402.17700) about one kind of entities: what is true of each, and ways to ask for it.
 *
 *   ravel_city_entity_attributes.json     { "Paris": { "Country": "France", … }, … }
 *   ravel_city_attribute_to_prompts.json  { "Country": ["%s is in the country of", …], … }
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { parseConfig } from '../core/config.ts'
import { UserError } from '../core/errors.ts'
import { readError, readJson } from '../core/files.ts'
import { mustKnow } from '../core/nearest.ts'
import { quote } from '../core/quote.ts'

/** Where the two files of a kind of entities are. */
export interface RavelPaths {
  readonly attributes: string
  readonly prompts: string
}

/** A kind of entities, as its files have it. */
export interface RavelEntities {
  readonly kind: string
  /** Values by attribute, by entity; an empty one is not known. */
  readonly attributes: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** Templates by attribute, each with one %s where the entity stands. */
  readonly prompts: Readonly<Record<string, readonly string[]>>
}

const Attributes = z.record(z.string().min(1), z.record(z.string(), z.string()))
const Prompts = z.record(z.string(), z.array(z.string()).min(1))

const attributesFile = (kind: string) => `ravel_${kind}_entity_attributes.json`

/** The files of a kind in a folder of RAVEL; a `UserError` where there is no such folder, or none of that kind in it. */
export async function ravelPaths(folder: string, kind: string): Promise<RavelPaths> {
  const names = await readdir(folder).catch(error => {
    throw readError(folder, 'folder of RAVEL', error)
  })
  const kinds = names.flatMap(name => /^ravel_(.+)_entity_attributes\.json$/.exec(name)?.[1] ?? []).sort()
  if (kinds.length === 0)
    throw new UserError(`The folder ${folder} has no file of RAVEL such as ${attributesFile('city')}.`, {
      fix: 'Name the folder of RAVEL’s JSON files in measures.ravel.',
    })
  mustKnow([kind], kinds, { key: 'measures.entities', what: `the folder ${folder} has no kind of entities` })
  return {
    attributes: join(folder, attributesFile(kind)),
    prompts: join(folder, `ravel_${kind}_attribute_to_prompts.json`),
  }
}

/** Reads the files of a kind; a `UserError` names what is not of their form. */
export async function readRavel(kind: string, paths: RavelPaths): Promise<RavelEntities> {
  const read = async <S extends z.ZodType>(path: string, schema: S) =>
    parseConfig(schema, await readJson(path, 'file of RAVEL'), `the file of RAVEL ${path}`)
  const attributes = await read(paths.attributes, Attributes)
  const prompts = await read(paths.prompts, Prompts)
  for (const [attribute, templates] of Object.entries(prompts))
    for (const template of templates)
      if (template.split('%s').length !== 2)
        throw new UserError(
          `The file of RAVEL ${paths.prompts} asks for ${quote(attribute)} by ${quote(template)}, which does not hold %s once.`,
          { fix: 'Put %s where the name of the entity stands, and nowhere else.' },
        )
  const asked = new Set(Object.keys(prompts))
  if (!Object.values(attributes).some(values => Object.keys(values).some(attribute => asked.has(attribute))))
    throw new UserError(`No entity of ${paths.attributes} has an attribute that ${paths.prompts} asks for.`, {
      fix: 'Use the two files of one kind of entities.',
    })
  return { kind, attributes, prompts }
}

/** YAML of plain values. */
import { isScalar, parseDocument, visit } from 'yaml'
import { messageOf, UserError } from './errors.ts'

/** The value of a YAML text. Throws where it is none, and where it asks for more than plain values, such as by a tag. */
export function readYaml(text: string): unknown {
  const document = parseDocument(text, { logLevel: 'error' })
  const [problem] = [...document.errors, ...document.warnings]
  if (problem) throw problem
  visit(document, {
    // Whoever reads values by their keys would drop it without a word.
    Pair: (_, { key }) => {
      if (isScalar(key) && key.value === '__proto__') throw new Error('a key cannot be __proto__')
    },
  })
  return document.toJS({ maxAliasCount: 100 })
}

/** The value of a file's YAML text; a `UserError` that says what is wrong with it where it is none. `what` is the kind of file. */
export function yamlOfFile(text: string, path: string, what: string): unknown {
  try {
    return readYaml(text)
  } catch (error) {
    const firstLine = messageOf(error).split('\n')[0]!.replace('; please use YAML.parseAllDocuments()', '')
    throw new UserError(`The ${what} ${path} is not YAML of plain values: ${firstLine.replace(/[:.]?$/, '.')}`, {
      cause: error,
    })
  }
}

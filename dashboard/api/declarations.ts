/** The contracts as TypeScript declarations, for programs that ask the API: `npm run api` writes them to types.ts. */
import type { Contract } from './contract.ts'
import { componentsPath, type JsonSchema, schemasOf } from './schema.ts'

const head = `/** What every route of the API takes and answers. Made from its contracts by \`npm run api\`; not edited by hand. */
`

/** The text of types.ts. Equal contracts give equal text. */
export function declarationsOf(contracts: readonly Contract[]): string {
  const { named, of } = schemasOf(contracts)
  const interfaces = Object.entries(named)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, schema]) => `export interface ${name} ${typeOf(schema, '')}\n`)
  const routes = contracts.map(({ name, method, path, summary, events, file }) => {
    const { query, body, answer } = of.get(name)!
    const parts = [...path.matchAll(/\{(\w+)\}/g)].map(([, part]) => `${part}: string`)
    return `${comment(summary, '  ')}  ${name}: {
    method: '${method}'
    path: '${path}'
    parts: ${parts.length > 0 ? `{ ${parts.join('; ')} }` : 'Record<never, never>'}
    query: ${typeOf(query, '    ')}
    body: ${body ? typeOf(body, '    ') : 'undefined'}
    answer: ${typeOf(answer, '    ')}
    events: ${events ? events.map(literal).join(' | ') : 'never'}
    file: ${file ? file.map(literal).join(' | ') : 'never'}
  }
`
  })
  return `${head}\n${interfaces.join('\n')}\n/** The routes by name. */\nexport interface Api {\n${routes.join('\n')}}\n\n${table(contracts)}`
}

/** The routes as values, of which a client makes addresses. */
function table(contracts: readonly Contract[]): string {
  const lines = contracts.map(({ name, method, path }) => `  ${name}: { method: '${method}', path: '${path}' },\n`)
  return `/** How each route is asked. */\nexport const routes: { readonly [Name in keyof Api]: Pick<Api[Name], 'method' | 'path'> } = {\n${lines.join('')}}\n`
}

function comment(text: string | undefined, indent: string): string {
  return text === undefined ? '' : `${indent}/** ${text.replaceAll('*/', '* /')} */\n`
}

/** A JSON Schema as a type; what stands on later lines is indented by `indent`. */
function typeOf(schema: JsonSchema, indent: string): string {
  const { $ref, type, anyOf, oneOf, prefixItems, items } = schema
  if ($ref) return $ref.slice(componentsPath.length)
  const union = anyOf ?? oneOf
  if (union) return [...new Set(union.map(one => typeOf(one, indent)))].join(' | ')
  if (Array.isArray(type)) return type.map(one => typeOf({ ...schema, type: one }, indent)).join(' | ')
  if ('const' in schema) return literal(schema.const)
  if (schema.enum) return schema.enum.map(literal).join(' | ')
  if (type === 'array') {
    if (prefixItems) return `[${prefixItems.map(one => typeOf(one, indent)).join(', ')}]`
    const item = items ? typeOf(items, indent) : 'unknown'
    return item.includes(' | ') ? `(${item})[]` : `${item}[]`
  }
  if (type === 'object') return objectOf(schema, indent)
  if (type === 'integer' || type === 'number') return 'number'
  if (type === 'string' || type === 'boolean' || type === 'null') return type
  return 'unknown'
}

const literal = (value: unknown) => (typeof value === 'string' ? `'${value.replace(/['\\]/g, '\\$&')}'` : String(value))

function objectOf({ properties = {}, required = [], additionalProperties }: JsonSchema, indent: string): string {
  const inner = `${indent}  `
  const fields = Object.entries(properties).map(([name, schema]) => {
    const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : literal(name)
    const optional = required.includes(name) ? '' : '?'
    // A value that is left out and one that is undefined are the same in an address and in JSON.
    const absent = optional && !schema.$ref ? ' | undefined' : ''
    return `${comment(schema.description, inner)}${inner}${key}${optional}: ${typeOf(schema, inner)}${absent}\n`
  })
  const open = additionalProperties !== undefined && additionalProperties !== false
  if (fields.length > 0) return `{\n${fields.join('')}${indent}}`
  if (!open) return 'Record<never, never>'
  const value = typeof additionalProperties === 'object' ? typeOf(additionalProperties, indent) : 'unknown'
  return `Record<string, ${value}>`
}

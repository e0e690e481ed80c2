/** The OpenAPI document of the contracts. */
import type { Contract } from '../api/contract.ts'
import { schemasOf } from '../api/schema.ts'

/** The media type of an Arrow IPC stream. */
export const arrowType = 'application/vnd.apache.arrow.stream'

const binary = { type: 'string', format: 'binary' }

/** The document (OpenAPI 3.1). */
export function openApi(contracts: readonly Contract[], version: string): Record<string, unknown> {
  const { named, of } = schemasOf(contracts)
  const problem = {
    description: 'What is wrong, and how to mend it',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Problem' } } },
  }
  const operation = ({ name, method, path, summary, table, events, file }: Contract) => {
    const { query, body, answer } = of.get(name)!
    return {
      operationId: name,
      summary,
      parameters: [
        ...[...path.matchAll(/\{(\w+)\}/g)].map(([, part]) => ({
          ...{ name: part, in: 'path', required: true, schema: { type: 'string' } },
        })),
        ...Object.entries(query.properties ?? {}).map(([key, { description, ...schema }]) => ({
          ...{ name: key, in: 'query', required: query.required?.includes(key) ?? false },
          ...{ description: description ?? '', schema },
        })),
      ],
      ...(body && { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
      responses: {
        200: {
          description: summary,
          content: file
            ? Object.fromEntries(file.map(type => [type, { schema: binary }]))
            : {
                [events ? 'text/event-stream' : 'application/json']: { schema: answer },
                ...(table ? { [arrowType]: { schema: binary } } : {}),
              },
        },
        ...(method === 'GET' && !events && { 304: { description: 'It is what the ETag says' } }),
        ...Object.fromEntries(
          [400, 401, 403, 404, ...(method === 'POST' ? [409, 413, 415] : []), 503].map(status => [status, problem]),
        ),
      },
    }
  }
  const paths: Record<string, Record<string, unknown>> = {}
  for (const contract of contracts)
    paths[contract.path] = { ...paths[contract.path], [contract.method.toLowerCase()]: operation(contract) }
  return {
    openapi: '3.1.0',
    info: { title: 'pipeline', version, description: 'Runs, metrics, features and their evidence, from files.' },
    components: {
      schemas: {
        ...named,
        Problem: {
          type: 'object',
          properties: { error: { type: 'string' }, fix: { type: 'string' } },
          required: ['error'],
        },
      },
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
    security: [{ token: [] }],
    paths,
  }
}

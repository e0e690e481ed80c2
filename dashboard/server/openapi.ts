/** The OpenAPI document of the routes: made from what they themselves check. */
import { z } from 'zod'
import type { Route } from './route.ts'

/** JSON Schema as OpenAPI 3.1 takes it. */
const schemaOf = (type: z.ZodType, io: 'input' | 'output') => {
  const { $schema: _, ...schema } = z.toJSONSchema(type, { io, unrepresentable: 'any' })
  return schema
}

/** The document (OpenAPI 3.1). */
export function openApi(routes: readonly Route[], version: string): Record<string, unknown> {
  const problem = {
    description: 'What is wrong, and how to mend it',
    content: { 'application/json': { schema: { $ref: '#/components/schemas/Problem' } } },
  }
  return {
    openapi: '3.1.0',
    info: { title: 'pipeline', version, description: 'Runs, metrics, features and their evidence, from files.' },
    components: {
      schemas: {
        Problem: {
          type: 'object',
          properties: { error: { type: 'string' }, fix: { type: 'string' } },
          required: ['error'],
        },
      },
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
    security: [{ token: [] }],
    paths: Object.fromEntries(
      routes.map(({ path, summary, query, answer, table }) => [
        path,
        {
          get: {
            summary,
            parameters: [
              ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
                name,
                in: 'path',
                required: true,
                schema: { type: 'string' },
              })),
              ...Object.entries(query.shape).map(([name, type]) => ({
                name,
                in: 'query',
                required: false,
                description: (type as z.ZodType).description ?? '',
                schema: schemaOf(type as z.ZodType, 'input'),
              })),
            ],
            responses: {
              200: {
                description: summary,
                content: {
                  'application/json': { schema: schemaOf(answer, 'output') },
                  ...(table ? { [arrowType]: { schema: { type: 'string', format: 'binary' } } } : {}),
                },
              },
              304: { description: 'It is what the ETag says' },
              ...Object.fromEntries([400, 401, 403, 404].map(status => [status, problem])),
            },
          },
        },
      ]),
    ),
  }
}

/** The media type of an Arrow IPC stream. */
export const arrowType = 'application/vnd.apache.arrow.stream'

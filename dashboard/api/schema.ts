/** The contracts' types as JSON Schema: those that have a name once, under it, and all others where they are used. */
import { z } from 'zod'
import { DriftCell } from '../../runs/drift.ts'
import { RunManifest } from '../../runs/run.ts'
import { FeatureEvidence } from '../../validation/evidence.ts'
import type { Contract } from './contract.ts'
import { Source } from './contract.ts'
import { ClaimLine, ComparedSae, Family, Test } from './contracts/evidence.ts'
import { Label } from './contracts/feature.ts'
import { Next, PlayEdit, PlayRow, PlayToken, ShownLabel } from './contracts/play.ts'
import { LineageEdge, LineageNode, RunLine } from './contracts/runs.ts'

/** A JSON Schema, as far as zod writes it. */
export interface JsonSchema {
  readonly [key: string]: unknown
  readonly $ref?: string
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly const?: unknown
  readonly enum?: readonly unknown[]
  readonly anyOf?: readonly JsonSchema[]
  readonly oneOf?: readonly JsonSchema[]
  readonly items?: JsonSchema | false
  readonly prefixItems?: readonly JsonSchema[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: JsonSchema | boolean
}

/** Names beside the descriptions that schemas have anyway. */
class Names extends z.core.$ZodRegistry<z.core.GlobalMeta> {
  override get(type: z.core.$ZodType) {
    return { ...z.globalRegistry.get(type), ...super.get(type) }
  }
}

const names = new Names()
for (const [id, type] of Object.entries({
  ...{ RunManifest, RunLine, LineageNode, LineageEdge, FeatureEvidence, Source, Test, ClaimLine, Family, DriftCell },
  ...{ ComparedSae, Label, ShownLabel, PlayEdit, PlayRow, PlayToken, Next },
}))
  names.add(type, { id })

/** Where a named type stands in an OpenAPI document. */
export const componentsPath = '#/components/schemas/'

/** Parts of a contract as JSON Schema. */
export interface ContractSchemas {
  readonly query: JsonSchema
  /** Undefined where there is no body. */
  readonly body: JsonSchema | undefined
  readonly answer: JsonSchema
}

/** All contracts' types, and the named ones among them. */
export function schemasOf(contracts: readonly Contract[]): {
  readonly named: Readonly<Record<string, JsonSchema>>
  readonly of: ReadonlyMap<string, ContractSchemas>
} {
  const named: Record<string, JsonSchema> = {}
  const convert = (type: z.ZodType, io: 'input' | 'output'): JsonSchema => {
    const made = z.toJSONSchema(type, { io, metadata: names, unrepresentable: 'any' })
    const text = JSON.stringify(made).replaceAll('#/$defs/', componentsPath)
    const { $schema: _, $defs, id: __, ...schema } = JSON.parse(text) as JsonSchema & { $defs?: typeof named }
    for (const [name, { id: _, ...part }] of Object.entries($defs ?? {})) named[name] = part
    return schema
  }
  const of = new Map(
    contracts.map(contract => [
      contract.name,
      {
        query: convert(contract.query, 'input'),
        body: contract.method === 'POST' ? convert(contract.body, 'input') : undefined,
        answer: convert(contract.answer, 'output'),
      },
    ]),
  )
  return { named, of }
}

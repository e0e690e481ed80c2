/** parquet-wasm as an encoder: loaded when a table is first written, since whoever only reads decodes in a thread of its own. */
import { createRequire } from 'node:module'

const load = createRequire(import.meta.url)

/** The module; the same one each time. */
export const encoder = (): typeof import('parquet-wasm') => load('parquet-wasm')

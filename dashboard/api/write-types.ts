/** Writes types.ts anew: `npm run api`. */
import { writeFileSync } from 'node:fs'
import { contracts } from './contracts/index.ts'
import { declarationsOf } from './declarations.ts'

writeFileSync(new URL('types.ts', import.meta.url), declarationsOf(contracts))

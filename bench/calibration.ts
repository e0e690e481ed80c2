/**
 * The proof that verdicts keep their level (`npm run bench -- calibration`): what nothing is true of is put to the product's
 * own test, claim by claim, and so are truths that were planted. The tables of docs/validation.md.
 *
 * With `--output DIR` every run is kept as it comes and not made again, so that a cut proof goes on where it was.
 */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../core/errors.ts'
import { readJson, writeJson } from '../core/files.ts'
import { startEngine } from '../engine/engine.ts'
import { madeWorld } from '../validation/proof/made-world.ts'
import { levels, nullResult, type Share } from '../validation/proof/null-table.ts'
import { nullNames, nulls } from '../validation/proof/nulls/index.ts'
import { type ProvedRun, type RunSettings, runCase } from '../validation/proof/run-case.ts'
import { toyworld } from '../validation/proof/toyworld.ts'
import type { World } from '../validation/proof/world.ts'
import { defineBench, type Teller } from './options.ts'

const config = z.object({
  world: z.enum(['made', 'toyworld']).default('made').describe('A hand-made model, or the built-in one'),
  nulls: z
    .array(z.enum(nullNames as [string, ...string[]]))
    .default(nullNames)
    .describe('What nothing is true of; [] for none'),
  runs: z.int().min(1).default(21).describe('Runs of each null, each with a seed of its own'),
  labelled: z
    .int()
    .min(0)
    .default(5)
    .describe(
      'Of these runs those whose claims are of labelled concepts, where latents tell any; the others claim without labels',
    ),
  claims: z.int().min(1).default(48).describe('Claims of a run'),
  family: z.int().min(1).default(8).describe('Claims that are judged together'),
  output: z.string().optional().describe('Folder in which finished runs are kept'),
})
type Config = z.output<typeof config>

export default defineBench({
  about: 'Proves that verdicts keep their level: shares of p-values, claims and families of what nothing is true of.',
  examples: [
    'npm run bench -- calibration --nulls untrained --runs 2',
    'npm run bench -- calibration --world toyworld --runs 4',
  ],
  engine: 'tensorflow',
  config,
  async run(settings, tell) {
    await startEngine()
    if (settings.claims < settings.family)
      throw new UserError(`claims is ${settings.claims}, fewer than the ${settings.family} of a family.`, {
        fix: 'Ask for more claims, or smaller families.',
      })
    if (settings.output) await mkdir(settings.output, { recursive: true })
    const world = settings.world === 'made' ? madeWorld() : await toyworld()
    try {
      await proveNulls(world, settings, tell)
    } finally {
      await world.dispose()
    }
  },
})

async function proveNulls(world: World, settings: Config, tell: Teller): Promise<void> {
  tell.line(
    `| null | claims | ${levels.map(level => `p ≤ ${short(level)}`).join(' | ')} | supported | families with any |`,
  )
  tell.line(`|---|---|${levels.map(() => '---|').join('')}---|---|`)
  for (const name of settings.nulls) {
    const planted = nulls[name as keyof typeof nulls]
    const runs: ProvedRun[] = []
    for (let seed = 0; seed < settings.runs; seed++) {
      const run = await kept(settings, `${world.name}-${name}-${seed}`, async () => {
        const made = await planted.make(world, seed)
        if (!made) return []
        try {
          return await runCase(world, made, runOf(settings, seed))
        } finally {
          made.dispose()
        }
      })
      if (run.length > 0) runs.push(run)
    }
    if (runs.length === 0) continue
    const result = nullResult(runs)
    const below = result.below.map(share => percent(share)).join(' | ')
    const mark = result.holds ? '' : ' (!)'
    tell.line(
      `| ${planted.text} | ${result.measured} of ${result.claims}${mark} | ${below} | ${percent(result.supported)} | ${percent(result.families)} |`,
    )
    tell.result({ world: world.name, null: name, ...result })
  }
}

function runOf({ runs, labelled, claims, family }: Config, seed: number): RunSettings {
  return { seed, latents: claims, family, settings: { claims: seed < runs - labelled ? 'firing' : 'auto' } }
}

/** What is in the output folder under a name, or is made now and kept there. */
async function kept<T>({ output, ...settings }: Config, name: string, make: () => Promise<T>): Promise<T> {
  if (!output) return make()
  const path = join(output, `${name}-${settings.claims}-${settings.family}-${settings.labelled}-${settings.runs}.json`)
  if (!existsSync(path)) await writeJson(path, await make())
  return (await readJson(path, 'finished run')) as T
}

const short = (value: number) => value.toString().replace(/^0/, '')
const rounded = (value: number) => (value >= 0.9995 ? '1' : value.toFixed(3).replace(/^0/, ''))
const percent = ({ count, of, low, high }: Share) =>
  of === 0 ? 'none' : `${rounded(count / of)} [${rounded(low)}, ${rounded(high)}]`

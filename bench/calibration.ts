/**
 * The proof that verdicts mean what they say (`npm run bench -- calibration`): what nothing is true of, truths that were
 * planted, directions that were told the answer, effects at the size that studies state, and intervals of known values. The
 * tables of docs/calibration.md, as Markdown.
 *
 * With `--output DIR` every run of a null is kept as it comes and not made again, so that a cut proof goes on where it was.
 */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { UserError } from '../core/errors.ts'
import { readJson, writeJson } from '../core/files.ts'
import { startEngine } from '../engine/engine.ts'
import { conceptCount } from '../latents/fake.fixture.ts'
import { mean } from '../statistics/descriptive.ts'
import { coverageOf, covered } from '../validation/proof/coverage.ts'
import { directions, proveDirection, proveOneAmong } from '../validation/proof/directions.ts'
import { madeWorld } from '../validation/proof/made-world.ts'
import { levels, nullResult, type Share, share } from '../validation/proof/null-table.ts'
import { nullNames, nulls } from '../validation/proof/nulls/index.ts'
import { foundAtStated, halvesAgree } from '../validation/proof/power.ts'
import { proveTruths } from '../validation/proof/prove-truths.ts'
import { type ProvedRun, type RunSettings, runCase } from '../validation/proof/run-case.ts'
import { toyworld } from '../validation/proof/toyworld.ts'
import type { World } from '../validation/proof/world.ts'
import { defineBench, type Teller } from './options.ts'

const parts = ['nulls', 'truths', 'directions', 'power', 'coverage'] as const

const config = z.object({
  parts: z
    .array(z.enum(parts))
    .nonempty()
    .default([...parts])
    .describe('Which tables are made'),
  world: z
    .enum(['made', 'toyworld'])
    .default('made')
    .describe('For nulls and directions: a hand-made model, or the built-in one'),
  nulls: z
    .array(z.enum(nullNames as [string, ...string[]]))
    .nonempty()
    .default(nullNames)
    .describe('What nothing is true of'),
  runs: z.int().min(1).default(21).describe('Runs of each null, each with a seed of its own'),
  labelled: z
    .int()
    .min(0)
    .default(5)
    .describe(
      'Of these runs those whose claims are of labelled concepts, where latents tell any; the others claim without labels',
    ),
  claims: z.int().min(1).default(48).describe('Claims of a run of a null'),
  family: z.int().min(1).default(8).describe('Claims that are judged together'),
  seeds: z.int().min(1).default(5).describe('Runs of each truth and direction'),
  studies: z
    .int()
    .min(10)
    .default(300)
    .describe('Drawn studies that state an effect, each sought by five others; half as many halves'),
  draws: z.int().min(100).default(2000).describe('Drawn studies by which the coverage of an interval is counted'),
  output: z.string().optional().describe('Folder in which finished runs of nulls are kept'),
})
type Config = z.output<typeof config>

export default defineBench({
  about:
    'Proves that verdicts mean what they say: nulls, planted truths, stated effects and intervals, put to the test.',
  examples: [
    'npm run bench -- calibration --parts nulls --nulls untrained --runs 2',
    'npm run bench -- calibration --parts nulls,directions --world toyworld --runs 4',
  ],
  engine: 'tensorflow',
  config,
  async run(settings, tell) {
    if (settings.claims < settings.family)
      throw new UserError(`claims is ${settings.claims}, fewer than the ${settings.family} of a family.`, {
        fix: 'Ask for more claims, or smaller families.',
      })
    await startEngine()
    if (settings.output) await mkdir(settings.output, { recursive: true })
    const isAsked = (part: (typeof parts)[number]) => settings.parts.includes(part)
    if (isAsked('coverage')) tellCoverage(settings, tell)
    if (isAsked('power')) tellPower(settings, tell)
    if (isAsked('truths')) await tellTruths(settings, tell)
    if (!isAsked('nulls') && !isAsked('directions')) return
    const world = settings.world === 'made' ? madeWorld() : await toyworld()
    try {
      if (isAsked('directions')) await tellDirections(world, settings, tell)
      if (isAsked('nulls')) await tellNulls(world, settings, tell)
    } finally {
      await world.dispose()
    }
  },
})

/** Headings of a table. */
function head(tell: Teller, ...names: string[]): void {
  tell.line('')
  row(tell, ...names)
  tell.line(`|${'---|'.repeat(names.length)}`)
}

function row(tell: Teller, ...cells: string[]): void {
  tell.line(`| ${cells.join(' | ')} |`)
}

function tellCoverage({ draws }: Config, tell: Teller): void {
  head(tell, 'interval at 95 %', 'holds the true value')
  for (const one of covered) {
    const found = coverageOf(one, draws)
    row(tell, one.name, percent(found))
    tell.result({ part: 'coverage', interval: one.name, truth: one.truth, ...found })
  }
}

/** Deviations over documents and over controls. */
const spreads = [
  { documents: 0.3, controls: 0.05 },
  { documents: 0.3, controls: 0.2 },
  { documents: 0.1, controls: 0.2 },
] as const

function tellPower({ studies }: Config, tell: Teller): void {
  head(tell, 'deviation over documents / controls', 'documents', 'stated for power .8', 'found')
  for (const spread of spreads)
    for (const documents of [8, 16, 32]) {
      const { found, mean } = foundAtStated({ documents, spread, studies, looks: 5 })
      row(
        tell,
        `${short(spread.documents)} / ${short(spread.controls)}`,
        String(documents),
        mean.toFixed(3),
        percent(found),
      )
      tell.result({ part: 'power', ...spread, documentCount: documents, stated: mean, ...found })
    }
  head(tell, 'halves of 32 documents, effect', 'a half finds it', 'both halves say the same', 'by that power')
  for (const effect of [0.1, 0.2, 0.3, 0.4]) {
    const cell = { documents: 32, spread: spreads[0], studies: Math.ceil(studies / 2), effect }
    const { agreed, found, expected } = halvesAgree(cell)
    row(tell, short(effect), percent(found), percent(agreed), rounded(expected))
    tell.result({ part: 'halves', effect, found, agreed, expected })
  }
}

async function tellTruths({ seeds }: Config, tell: Teller): Promise<void> {
  head(tell, 'a latent that', 'must be', 'and is', 'verdicts')
  for (const { text, outcome, held, verdicts, truth } of await proveTruths(seeds)) {
    const counts = Object.entries(verdicts).map(([verdict, count]) => `${count} ${verdict}`)
    row(tell, text, outcome, percent(held), counts.join(', '))
    tell.result({ part: 'truths', truth, outcome, ...held, verdicts })
  }
}

async function tellDirections(world: World, { seeds: runs }: Config, tell: Teller): Promise<void> {
  // Discovery text chooses the latents of the built-in model; those of the hand-made one are known.
  const latents = world.name === 'made' ? Array.from({ length: conceptCount }, (_, i) => i) : 16
  head(tell, 'decoder row', 'claims', 'supported', 'refuted', 'mean effect, nats', 'share of the ceiling, mean')
  for (const name of Object.keys(directions)) {
    const claims = await proveDirection(world, name, { runs, latents })
    const count = (verdict: string) => share(claims.filter(one => one.verdict === verdict).length, claims.length)
    const effect = mean(claims.flatMap(one => one.effect ?? []))
    // Of so small an effect that no share of it is known, the ratio is null: such claims are counted, not averaged.
    const shares = claims.flatMap(one => one.share ?? [])
    const told = shares.length === 0 ? 'not known' : `${rounded(mean(shares))} of ${shares.length}`
    row(tell, name, String(claims.length), percent(count('pass')), percent(count('fail')), effect.toFixed(3), told)
    tell.result({
      part: 'directions',
      world: world.name,
      name,
      supported: count('pass'),
      refuted: count('fail'),
      effect,
      share: shares.length === 0 ? null : mean(shares),
      shares: shares.length,
    })
  }
  head(tell, 'one true claim among', 'supported')
  for (const among of [8, 20]) {
    const claims = await proveOneAmong(world, among, { runs: 2 * runs, latents })
    const found = share(claims.filter(({ verdict }) => verdict === 'pass').length, claims.length)
    row(tell, String(among), percent(found))
    tell.result({ part: 'one-among', world: world.name, among, ...found })
  }
}

async function tellNulls(world: World, settings: Config, tell: Teller): Promise<void> {
  const shares = levels.map(level => `p ≤ ${short(level)}`)
  head(tell, 'null', 'claims measured', ...shares, 'supported', 'families with any')
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
    const count = `${result.measured} of ${result.claims}${result.holds ? '' : ', too many small p'}`
    row(tell, planted.text, count, ...result.below.map(percent), percent(result.supported), percent(result.families))
    tell.result({ part: 'nulls', world: world.name, null: name, ...result })
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

/** Puts the planted truths to `validate` itself, with the studies that say what kind of truth each is. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silent } from '../../core/progress.ts'
import { memoryMetrics } from '../../core/stage.ts'
import { ValidateConfig } from '../config.ts'
import { readEvidence } from '../evidence.ts'
import { validate } from '../validate.ts'
import { type Share, share } from './null-table.ts'
import { type Coordinates, coordinates } from './planted/coordinates.ts'
import { type TruthName, truthNames, truths } from './planted/index.ts'
import type { Feature, Truth } from './planted/truth.ts'

/** How many of a truth's claims came out as they must, and the verdicts of all. */
export interface TruthResult {
  readonly truth: TruthName
  readonly text: string
  readonly outcome: string
  readonly held: Share
  readonly verdicts: Readonly<Record<string, number>>
}

const kindOf = (name: TruthName): Truth => truths[name]

/** Every truth with a claim a concept, in so many runs. */
export async function proveTruths(runs: number, names: readonly TruthName[] = truthNames): Promise<TruthResult[]> {
  const found: TruthResult[] = []
  for (const halves of [false, true]) {
    const own = names.filter(name => (kindOf(name).halves ?? false) === halves)
    if (own.length > 0) found.push(...(await proveInOneWorld(runs, own)))
  }
  return names.map(name => found.find(({ truth }) => truth === name)!)
}

async function proveInOneWorld(runs: number, names: readonly TruthName[]): Promise<TruthResult[]> {
  const world = coordinates(names.map(name => truths[name]))
  const found = new Map<TruthName, Feature[]>(names.map(name => [name, []]))
  try {
    for (let seed = 0; seed < runs; seed++)
      for (const contextual of [false, true]) {
        const asked = names.filter(name => (kindOf(name).contextual ?? false) === contextual)
        if (asked.length === 0) continue
        const latentsOf = (name: TruthName) => {
          const before = names
            .slice(0, names.indexOf(name))
            .reduce((sum, other) => sum + truths[other].concepts.length, 0)
          return truths[name].concepts.map((_, i) => before + i)
        }
        const studies = asked.flatMap(name => kindOf(name).studies ?? [])
        // Each half needs documents enough to be judged by itself.
        const documents = asked.some(name => kindOf(name).halves) ? 20 : 10
        const features = await run(world, { latents: asked.flatMap(latentsOf), studies, contextual, documents }, seed)
        for (const name of asked) {
          const latents = latentsOf(name)
          found.get(name)!.push(...features.filter(({ claim }) => latents.includes(claim.feature)))
        }
      }
  } finally {
    world.dispose()
  }
  return names.map(name => {
    const features = found.get(name)!
    const { text, outcome, holds } = truths[name]
    const verdicts: Record<string, number> = {}
    for (const { verdict } of features) verdicts[verdict] = (verdicts[verdict] ?? 0) + 1
    return { truth: name, text, outcome, held: share(features.filter(holds).length, features.length), verdicts }
  })
}

interface Asked {
  readonly latents: readonly number[]
  readonly studies: readonly string[]
  readonly contextual: boolean
  readonly documents: number
}

async function run(world: Coordinates, asked: Asked, seed: number): Promise<Feature[]> {
  const { latents, studies, contextual, documents } = asked
  const directory = await mkdtemp(join(tmpdir(), 'proof-'))
  const { model, sae, dataset } = world
  const config = ValidateConfig.parse({
    ...{ latents, doses: [1], bootstrap: 200, tokens: 4000, maxTokens: 1000, documents, minimumAuroc: 0.6 },
    // Asked for concepts, latents claim the one that they tell best, however well.
    ...(contextual ? { claims: 'concept' } : {}),
    studies,
  })
  const signal = new AbortController().signal
  const context = { directory, seed, progress: silent, signal, metrics: memoryMetrics() }
  try {
    await validate(context, { model, sae, dataset: contextual ? world.contextual : dataset, config })
    return (await readEvidence(join(directory, 'evidence.json'))).features
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

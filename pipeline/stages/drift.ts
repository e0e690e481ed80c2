/** Comparing two finished runs of one kind: captures, SAEs, or evidence. */
import { captureDrift } from '../../capture/drift/drift.ts'
import { driftDefinitions } from '../../capture/drift/measures.ts'
import { UserError } from '../../core/errors.ts'
import { openCapture } from '../../datasets/shards/index.ts'
import { firingDefinition, firingDrift } from '../../latents/firing-drift.ts'
import type { Drift, DriftCell } from '../../runs/drift.ts'
import { readVerified } from '../../runs/read.ts'
import type { FinishedRun } from '../../runs/run.ts'
import type { RunStore } from '../../runs/store.ts'
import { compareSaes, placesOf } from '../../sae/measure/compare.ts'
import type { Sae } from '../../sae/sae.ts'
import { effectDefinition, effectDrift } from '../../validation/effect-drift.ts'
import { readEffects } from '../../validation/tables.ts'
import { runAsInput } from './found.ts'
import { findSae } from './inputs.ts'
import { evidenceOfRun } from './ledger.ts'
import { loadSaeOf } from './sae.ts'
import type { Session } from './session.ts'

export interface DriftOptions {
  /** An SAE whose latents are compared on two captures. */
  readonly sae?: string | undefined
  readonly documents: number
  readonly draws: number
  readonly alpha: number
  readonly seed: number
}

/** Cosine from which a latent of one SAE has a partner in the other. */
const partnerCosine = 0.7
const kinds: Readonly<Record<string, Drift['kind']>> = {
  capture: 'capture',
  train: 'sae',
  import: 'sae',
  validate: 'evidence',
}

/** Compares two finished runs. Throws a `UserError` for runs that have nothing to compare. */
export async function driftBetween(
  store: RunStore,
  a: FinishedRun,
  b: FinishedRun,
  options: DriftOptions,
  session: Session,
): Promise<Drift> {
  const [kind, other] = [a, b].map(({ manifest }) => kinds[manifest.stage])
  if (!kind || kind !== other)
    throw new UserError(
      `${a.manifest.id} is a ${a.manifest.stage} run and ${b.manifest.id} a ${b.manifest.stage} run: there is nothing to compare.`,
      { fix: 'Name two captures, two SAEs, or two validate runs.' },
    )
  if (options.sae !== undefined && kind !== 'capture')
    throw new UserError(`sae is ${options.sae}, but ${a.manifest.id} is no capture.`, {
      fix: 'Leave sae out, or name two captures.',
    })
  const found =
    kind === 'evidence'
      ? await ofEvidence(a, b, options)
      : kind === 'sae' || options.sae !== undefined
        ? await ofSaes(store, a, b, options, session)
        : await ofCaptures(a, b, options, session)
  const cells = found.cells.map(cell => ({
    ...cell,
    drifted: cell.measures.some(({ adjusted }) => adjusted !== null && adjusted <= options.alpha),
  }))
  const tests = cells.flatMap(({ measures }) => measures).filter(({ adjusted }) => adjusted !== null)
  return {
    schema: 1,
    kind: options.sae === undefined ? kind : 'sae',
    a: nameOf(a),
    b: nameOf(b),
    ...{ alpha: options.alpha, seed: options.seed, draws: options.draws },
    family: { method: 'max-T over relabelled documents (Westfall and Young 1993)', size: tests.length },
    definitions: found.definitions,
    notes: [...found.notes],
    composition: found.composition,
    cells,
    drifted: cells.filter(({ drifted }) => drifted).length,
    tested: cells.filter(({ measures }) => measures.some(({ adjusted }) => adjusted !== null)).length,
  }
}

interface Found extends Pick<Drift, 'definitions' | 'composition' | 'notes'> {
  readonly cells: readonly Omit<DriftCell, 'drifted'>[]
}

const nameOf = ({ directory, manifest }: FinishedRun) => ({ id: manifest.id, directory, stage: manifest.stage })

/** Opens the captures of two runs, held to their manifests, for as long as `use` works. */
async function withCaptures<T>(
  runs: readonly [FinishedRun, FinishedRun],
  session: Session,
  use: (a: Awaited<ReturnType<typeof openCapture>>, b: Awaited<ReturnType<typeof openCapture>>) => Promise<T>,
): Promise<T> {
  const open = (run: FinishedRun) =>
    readVerified(run, ['capture.json'], () => openCapture(run.directory, { progress: session.progress }))
  const a = await open(runs[0])
  try {
    const b = await open(runs[1])
    try {
      return await use(a, b)
    } finally {
      b.close()
    }
  } finally {
    a.close()
  }
}

async function ofCaptures(a: FinishedRun, b: FinishedRun, options: DriftOptions, session: Session): Promise<Found> {
  const { documents, draws, seed } = options
  const { progress } = session
  const { cells, composition, notes } = await withCaptures([a, b], session, (first, second) =>
    captureDrift(first, second, { documents, draws, seed, progress }),
  )
  return {
    definitions: driftDefinitions,
    composition,
    notes: [...notes],
    cells: cells.map(({ stratum, documents, means, measures, site }) => ({
      site,
      stratum: stratum && { ...stratum },
      latent: null,
      documents: [...documents],
      means: [...means],
      measures: [...measures],
    })),
  }
}

async function ofSaes(
  store: RunStore,
  a: FinishedRun,
  b: FinishedRun,
  { sae, documents, draws, seed }: DriftOptions,
  session: Session,
): Promise<Found> {
  const saes: Sae[] = []
  try {
    for (const run of sae === undefined ? [a, b] : [undefined])
      saes.push(await loadSaeOf(run ? runAsInput(run, 'sae') : await findSae(store, sae!)))
    const [first, second = first] = saes as [Sae, Sae?]
    const captures =
      sae === undefined ? ([await captureOf(store, a), await captureOf(store, b)] as const) : ([a, b] as const)
    const { pairs, notes } = await partners(first, second!, session)
    const found = await withCaptures(captures, session, (one, two) =>
      firingDrift(
        { sae: first, capture: one },
        { sae: second!, capture: two },
        { pairs, documents, draws, seed, progress: session.progress },
      ),
    )
    return {
      definitions: { rate: firingDefinition },
      composition: null,
      notes,
      cells: found.map(({ latent, documents, means, value, expected, p, adjusted }) => ({
        site: first.metadata.hook_name,
        stratum: null,
        latent: { ...latent },
        documents: [...documents],
        means: [...means],
        measures: [{ name: 'rate', value, expected, p, adjusted }],
      })),
    }
  } finally {
    for (const own of saes) own.dispose()
  }
}

/** The latents that two SAEs share, by the cosine of their decoder rows; of one SAE all, each with itself. */
async function partners(a: Sae, b: Sae, { signal }: Session) {
  if (a === b || (a.hash !== '' && a.hash === b.hash))
    return { pairs: Array.from({ length: a.latents }, (_, i) => ({ a: i, b: i })), notes: [] }
  const { notices } = placesOf(a, b)
  const { match, stability, mcc } = await compareSaes(a, b, { threshold: partnerCosine, draws: 0, signal })
  const pairs = Array.from(match, (j, i) => ({ a: i, b: j })).filter(
    ({ a: i, b: j }) => j >= 0 && stability[i]! >= partnerCosine,
  )
  if (pairs.length === 0)
    throw new UserError(`No latent of the two SAEs has a partner with cosine ${partnerCosine} or more.`, {
      fix: 'Compare SAEs of one site and model; `pipeline sae compare` shows how far they agree.',
    })
  return {
    pairs,
    notes: [
      ...notices,
      `${pairs.length} of ${a.latents} latents have a partner (cosine from ${partnerCosine}, mean of all matches ${mcc.toFixed(3)}); the others are not compared.`,
    ],
  }
}

/** The capture that a run trained on. */
async function captureOf(store: RunStore, run: FinishedRun): Promise<FinishedRun> {
  const input = run.manifest.inputs.find(({ role }) => role === 'capture')
  if (!input?.run)
    throw new UserError(`The run ${run.manifest.id} was not trained on a capture of this store.`, {
      fix: 'Name two captures, and the SAE with --sae.',
    })
  return store.finished(input.run, ['capture'])
}

async function ofEvidence(a: FinishedRun, b: FinishedRun, { draws, seed }: DriftOptions): Promise<Found> {
  const sides = []
  for (const run of [a, b]) {
    const evidence = await evidenceOfRun(run)
    const rows = await readVerified(run, ['effects.parquet'], () => readEffects(run.directory))
    sides.push({ evidence, rows })
  }
  const [first, second] = sides as [(typeof sides)[number], (typeof sides)[number]]
  const differ = (['model', 'dataset'] as const).filter(
    what => first.evidence.hashes[what] !== second.evidence.hashes[what],
  )
  return {
    definitions: { effect: effectDefinition },
    composition: null,
    notes: differ.map(what => `Their ${what}s are different.`),
    cells: effectDrift(first, second, { draws, seed }).map(
      ({ latent, intervention, dose, documents, means, value, expected, p, adjusted }) => ({
        site: first.evidence.site,
        stratum: { intervention, dose: String(dose) },
        latent: { a: latent, b: latent },
        documents: [...documents],
        means: [...means],
        measures: [{ name: 'effect', value, expected, p, adjusted }],
      }),
    ),
  }
}

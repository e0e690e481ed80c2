/** Comparing two finished runs of one kind: captures, SAEs, or evidence. The stage drift keeps what it finds. */
import { captureDrift } from '../../capture/drift/drift.ts'
import { driftDefinitions } from '../../capture/drift/measures.ts'
import { UserError } from '../../core/errors.ts'
import type { StageContext } from '../../core/stage.ts'
import { thinnedNotes } from '../../datasets/shards/common-rates.ts'
import { openCapture } from '../../datasets/shards/index.ts'
import { firingDefinition, firingDrift } from '../../latents/firing-drift.ts'
import type { Drift, DriftCell } from '../../runs/drift.ts'
import { readVerified } from '../../runs/read.ts'
import type { FinishedRun } from '../../runs/run.ts'
import { contentHash } from '../../runs/seal.ts'
import type { RunStore } from '../../runs/store.ts'
import { compareSaes, placesOf } from '../../sae/measure/compare.ts'
import type { Sae } from '../../sae/sae.ts'
import { effectDefinition, effectDrift } from '../../validation/effect-drift.ts'
import { readEffects } from '../../validation/effects-table.ts'
import { type Found, runAsInput } from './found.ts'
import { findSae } from './inputs.ts'
import { evidenceOfRun } from './ledger.ts'
import { loadSaeOf } from './sae.ts'

/** What is compared, found before anything is read. */
export interface Compared {
  readonly kind: Drift['kind']
  /** The two runs. */
  readonly runs: readonly [FinishedRun, FinishedRun]
  /** The SAEs whose latents are compared, one or one of each run; none of activations and evidence. */
  readonly saes: readonly Found[]
  /** The captures that are read; none of evidence. */
  readonly captures: readonly [FinishedRun, FinishedRun] | undefined
}

export interface CompareOptions {
  /** Documents of each run in a cell, at most. */
  readonly documents: number
  /** Labellings of the documents that p-values are made of. */
  readonly draws: number
  readonly seed: number
}

/** What a comparison found, before cells are called drifted. */
export interface Differences extends Pick<Drift, 'definitions' | 'composition' | 'notes'> {
  readonly cells: readonly Omit<DriftCell, 'drifted'>[]
}

/** What the comparing needs of whoever starts it. */
type Doing = Pick<StageContext, 'progress' | 'signal'>

/** Cosine from which a latent of one SAE has a partner in the other. */
const partnerCosine = 0.7
const kinds: Readonly<Record<string, Drift['kind']>> = {
  capture: 'capture',
  train: 'sae',
  import: 'sae',
  validate: 'evidence',
}

/** Finds what two runs, and an SAE if one is named, have to be compared by. A `UserError` where there is nothing. */
export async function comparedRuns(
  store: RunStore,
  names: { readonly a: string; readonly b: string; readonly sae?: string | undefined },
): Promise<Compared> {
  const stages = Object.keys(kinds)
  const [a, b] = [await store.finished(names.a, stages), await store.finished(names.b, stages)]
  const kind = kinds[a.manifest.stage]
  if (!kind || kind !== kinds[b.manifest.stage])
    throw new UserError(
      `${a.manifest.id} is a ${a.manifest.stage} run and ${b.manifest.id} a ${b.manifest.stage} run: there is nothing to compare.`,
      { fix: 'Name two captures, two SAEs, or two validate runs.' },
    )
  const runs = [a, b] as const
  if (names.sae !== undefined) {
    if (kind === 'capture') return { kind: 'sae', runs, saes: [await findSae(store, names.sae)], captures: runs }
    throw new UserError(`sae is ${names.sae}, but ${a.manifest.id} is no capture.`, {
      fix: 'Leave sae out, or name two captures.',
    })
  }
  if (kind === 'capture') return { kind, runs, saes: [], captures: runs }
  if (kind === 'evidence') return { kind, runs, saes: [], captures: undefined }
  const captures = [await captureOf(store, a), await captureOf(store, b)] as const
  return { kind, runs, saes: runs.map(run => runAsInput(run, 'sae')), captures }
}

/** Compares them. SAEs need the engine, which is started. */
export async function differencesOf(compared: Compared, options: CompareOptions, doing: Doing): Promise<Differences> {
  const { runs, saes, captures } = compared
  if (!captures) return ofEvidence(...runs, options)
  return saes.length > 0 ? ofSaes(saes, captures, options, doing) : ofCaptures(captures, options, doing)
}

/** Opens the captures of two runs, held to their manifests, for as long as `use` works. */
async function withCaptures<T>(
  runs: readonly [FinishedRun, FinishedRun],
  { progress }: Doing,
  use: (a: Awaited<ReturnType<typeof openCapture>>, b: Awaited<ReturnType<typeof openCapture>>) => Promise<T>,
): Promise<T> {
  const open = (run: FinishedRun) => readVerified(run, ['capture.json'], () => openCapture(run.directory, { progress }))
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

async function ofCaptures(
  captures: readonly [FinishedRun, FinishedRun],
  options: CompareOptions,
  doing: Doing,
): Promise<Differences> {
  const { cells, composition, notes } = await withCaptures(captures, doing, (first, second) =>
    captureDrift(first, second, { ...options, progress: doing.progress }),
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
  found: readonly Found[],
  captures: readonly [FinishedRun, FinishedRun],
  options: CompareOptions,
  doing: Doing,
): Promise<Differences> {
  const saes: Sae[] = []
  try {
    for (const one of found) saes.push(await loadSaeOf(one))
    const [first, second = first] = saes as [Sae, Sae?]
    const { pairs, notes } = await partners(first, second!, doing)
    const { rates, thinned } = await withCaptures(captures, doing, async (one, two) => ({
      rates: await firingDrift(
        { sae: first, capture: one },
        { sae: second!, capture: two },
        { ...options, pairs, progress: doing.progress },
      ),
      thinned: thinnedNotes(one.manifest, two.manifest),
    }))
    return {
      definitions: { rate: firingDefinition },
      composition: null,
      notes: [...notes, ...thinned],
      cells: rates.map(({ latent, documents, means, value, expected, p, adjusted }) => ({
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
async function partners(a: Sae, b: Sae, { signal }: Doing) {
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
  const found = await store.finished(input.run, ['capture'])
  if (contentHash(found.manifest) !== input.sha256)
    throw new UserError(`The capture ${input.run} was made anew since ${run.manifest.id} was trained on it.`, {
      fix: 'Name two captures, and the SAE with --sae.',
    })
  return found
}

async function ofEvidence(a: FinishedRun, b: FinishedRun, { draws, seed }: CompareOptions): Promise<Differences> {
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

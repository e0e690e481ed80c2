/**
 * Does the effect survive changes of the text that should not matter? The documents of the primary intervention are changed in
 * one way at a time (`shifts.ts`), the latent is read anew in them, and the intervention is measured with the same target and
 * the first controls. Where it no longer fires there is nothing to take away, and the effect is 0. AUROC for the claimed
 * concept is taken on windows drawn by lot, whatever the latent does in them, with the labels that go with the changed text.
 */
import { uniformOf } from '../../core/random.ts'
import type { TokenDataset, TokenWindow } from '../../datasets/document.ts'
import { type Activations, activationsIn, encodeWindows, firstPosition } from '../../latents/activations.ts'
import { conceptRows, labelWindows } from '../claims/concepts.ts'
import type { LatentPlan, Material } from '../claims/plan.ts'
import { judgeRobustness, type RobustnessRow } from './robustness-found.ts'
import { type ShiftSource, shifts } from './shifts.ts'
import { latentStudy, type StudyContext } from './study.ts'
import { controlledBank, effectsOf, isTested } from './subject.ts'

/** Windows that AUROC is taken on. */
const aurocWindows = 48
/** Windows whose beginnings are put in front of others. */
const neutralWindows = 32

/** A text as it is, or changed in one way: windows in the order of the originals, null where one could not be changed. */
interface Changed {
  readonly name: string
  readonly dataset: TokenDataset
  readonly windows: readonly (TokenWindow | null)[]
}

export const robustness = latentStudy<RobustnessRow, ReturnType<typeof judgeRobustness>[number]>({
  name: 'robustness',
  question: 'Does the effect survive changes of the text that should not matter?',
  byDefault: false,
  definitions: {
    difference:
      'mean over documents of the primary intervention’s effect on the target less the mean effect of controls of equal norm, as claimed; of the kind of control that leaves least of it on the text as it is. 0 where the latent no longer fires',
    ratio:
      'difference by that of the same documents as they are, with Fieller’s interval at level 1 − α by the number of shifts, so that all hold at once',
    kept: 'yes where the interval of the ratio lies at ½ or above, no where it lies below',
    aurocRatio:
      '(AUROC − ½) by that of the same windows as they are, windows drawn by lot; interval by the jackknife over documents at the same level, none where AUROC as it is may be ½',
    position: '24 tokens of another document in front',
    length: 'the first half of the document left out',
    typos:
      '15 % of the tokens with four letters or more: two letters change places, one goes or one comes twice, tokenised anew',
    paraphrase: 'toyworld alone: the same choices in other forms of its grammar',
    language: 'toyworld alone: the same choices in another language',
  },
  columns: {
    part: 'string',
    shift: 'string',
    document: 'string',
    window: 'string',
    control: 'string?',
    controlId: 'int32?',
    target: 'float64?',
    active: 'int32',
    tokens: 'int32',
    positions: 'list<int32>',
    activations: 'list<float32>',
    labelled: 'list<int32>',
  },
  measure,
  judge: (tested, settings) => judgeRobustness(tested, settings),
})

async function measure(bench: StudyContext, plan: LatentPlan): Promise<readonly RobustnessRow[]> {
  const { material } = bench
  if (!isTested(material, plan)) return []
  const documents = plan.documents[plan.claim.primary]
  const rows: RobustnessRow[] = []
  for (const changed of await changedTexts(
    bench,
    documents.map(({ window }) => window),
  )) {
    const present = presentIn(changed)
    const activations = await read(
      bench,
      present.map(({ window }) => window),
    )
    for (const [w, { place, window }] of present.entries()) {
      await bench.pause()
      const active = activationsIn(activations, plan.claim.feature, w)
      rows.push(...effectRows(material, plan, changed.name, documents[place]!.document, window, active))
    }
  }
  if (plan.concept < 0) return rows
  for (const { changed, activations, present, originals } of await sharedTexts(bench))
    rows.push(...activationRows(material, plan, { changed, activations, present, originals }))
  return rows
}

const presentIn = ({ windows }: Changed) =>
  windows.flatMap((window, place) => (window && window.tokens.length > firstPosition + 1 ? [{ place, window }] : []))

const read = ({ context, inputs: { model, sae, config } }: StudyContext, windows: readonly TokenWindow[]) =>
  encodeWindows(model, sae, windows, { batchTokens: config.batchTokens, signal: context.signal })

/** The windows as they are, and changed in every way that this text can be. */
async function changedTexts(bench: StudyContext, windows: readonly TokenWindow[]): Promise<Changed[]> {
  const { material, inputs } = bench
  const lot = (window: TokenWindow) => uniformOf(material.seed, 'neutral', window.id)
  const source: ShiftSource = {
    dataset: inputs.dataset,
    neutral: [...material.validation.windows].sort((a, b) => lot(a) - lot(b)).slice(0, neutralWindows),
    tokenizer: inputs.tokenizer,
    seed: material.seed,
    longest: material.model.config.context,
  }
  const found: Changed[] = [{ name: 'as-is', dataset: inputs.dataset, windows }]
  for (const shift of shifts) {
    const made = await shift.make(source, windows)
    if (made?.windows.some(window => window !== null)) found.push({ name: shift.name, ...made })
  }
  return found
}

interface SharedText {
  readonly changed: Changed
  readonly present: ReturnType<typeof presentIn>
  readonly activations: Activations
  readonly originals: readonly TokenWindow[]
}

/** The texts that AUROC is taken on, the same for all latents of a study. */
const known = new WeakMap<Material, Promise<SharedText[]>>()

function sharedTexts(bench: StudyContext): Promise<SharedText[]> {
  const found = known.get(bench.material) ?? readShared(bench)
  known.set(bench.material, found)
  return found
}

async function readShared(bench: StudyContext): Promise<SharedText[]> {
  const { validation, seed } = bench.material
  const lot = (window: TokenWindow) => uniformOf(seed, 'robustness', window.id)
  const originals = [...validation.windows].sort((a, b) => lot(a) - lot(b)).slice(0, aurocWindows)
  const texts: SharedText[] = []
  for (const changed of await changedTexts(bench, originals)) {
    const present = presentIn(changed)
    const activations = await read(
      bench,
      present.map(({ window }) => window),
    )
    texts.push({ changed, present, activations, originals })
  }
  return texts
}

const nothing = {
  control: null,
  controlId: null,
  target: null,
  tokens: 0,
  positions: [],
  activations: [],
  labelled: [],
}

function effectRows(
  material: Material,
  plan: LatentPlan,
  shift: string,
  document: string,
  window: TokenWindow,
  all: ReadonlyMap<number, number>,
): RobustnessRow[] {
  const { claim, target } = plan
  const last = window.tokens.length - 1 // the last position predicts nothing that is measured
  const active = new Map([...all].filter(([position]) => position < last))
  const ablates = claim.primary === 'ablate'
  const positions = ablates
    ? [...active.keys()]
    : Array.from({ length: window.tokens.length - firstPosition }, (_, i) => i + firstPosition)
  const row = { ...nothing, part: 'effect' as const, shift, document, window: window.id, active: active.size }
  const { bank, rows: controls } = controlledBank(material, plan)
  try {
    if (positions.length === 0) return controls.map(control => ({ ...row, ...control, target: 0 }))
    const value = ablates ? 0 : claim.dose * claim.discovery.unit
    const change = Float32Array.from(positions, position => value - (active.get(position) ?? 0))
    const edits = controls.map((_, direction) => ({ direction, change }))
    const effects = effectsOf(material, claim.feature, { window, positions, edits, bank, weights: target.weights })
    return effects.map((effect, i) => ({ ...row, ...controls[i]!, target: effect.target }))
  } finally {
    bank.dispose()
  }
}

function activationRows(
  material: Material,
  { claim }: LatentPlan,
  { changed, present, activations, originals }: SharedText,
): RobustnessRow[] {
  const windows = present.map(({ window }) => window)
  const labels = labelWindows(changed.dataset, windows, [claim.concept!])
  const carries = conceptRows(labels, 0)
  return present.map(({ place, window }, w) => {
    const active = activationsIn(activations, claim.feature, w)
    const tokens = window.tokens.length - firstPosition
    return {
      ...nothing,
      part: 'activation' as const,
      shift: changed.name,
      document: material.unitOf(originals[place]!),
      window: window.id,
      active: active.size,
      tokens,
      positions: [...active.keys()],
      activations: [...active.values()],
      labelled: Array.from({ length: tokens }, (_, i) => i + firstPosition).filter(
        position => carries[labels.rowStart[w]! + position - firstPosition],
      ),
    }
  })
}

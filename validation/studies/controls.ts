/**
 * Study: what each kind of control does, as a share of what ablating the latent does. Beside the kinds of the main test, each
 * question that an effect may be asked has a control of its own:
 *
 * - `matched`, `strongest`: the latent's own edit along other latents that fire alike, and along the one that tells its concept best;
 * - `projection-…`: a control takes out what it finds of itself, (x − b)·u, where the latent takes out its activation;
 * - `equal-kl-…`: the latent's edit along a control, scaled until it changes the prediction as much as the latent does;
 * - `reconstruct`: the SAE's reconstruction in place of the value, with and without its error.
 */
import { mean } from '../../statistics/descriptive.ts'
import type { ControlsFound } from '../contracts/controls.ts'
import { alikeOf, type Direction, directionsOf } from './controls-drawn.ts'
import { type ControlsRow, findingsOf } from './controls-found.ts'
import { projections, reconstructions, sameEdits } from './controls-measured.ts'
import { equalKl } from './equal-kl.ts'
import { latentStudy } from './study.ts'
import { directionOf, isTested } from './subject.ts'

export const controlsStudy = latentStudy<ControlsRow, ControlsFound>({
  name: 'controls',
  question: 'What share of the latent’s effect does each kind of control have?',
  byDefault: false,
  definitions: {
    share:
      'mean effect of a kind’s controls by the latent’s on the same documents, with Fieller’s interval; ablation throughout',
    matched:
      'the latent’s edit along the foreign latents nearest to it in density, mean activation and tokens fired at',
    strongest: 'the latent’s edit along the other latent, no near copy, that tells its concept best on discovery text',
    'projection-random':
      'where the latent’s activation is taken out, a random direction takes out what it finds of itself, (x − b)·u with b the decoder bias; projection-foreign: the same of other latents',
    'equal-kl-random':
      'the latent’s edit along a random direction, scaled in three steps until its mean KL over documents is the latent’s; equal-kl-foreign: the same of other latents',
    reconstruct: 'the reconstruction in place of the value at the latent’s positions',
    'reconstruct-error': 'the same with the SAE’s error added back: nothing but rounding',
  },
  columns: {
    control: 'string',
    controlId: 'int32?',
    document: 'string',
    window: 'string',
    scale: 'float64?',
    norm: 'float64',
    target: 'float64',
    kl: 'float64',
  },

  async measure({ material, pause }, plan) {
    if (!isTested(material, plan)) return []
    const own = directionOf(material, plan.claim.feature)
    const length = Math.hypot(...own)
    const scaled = (rows: readonly Direction[]) => rows.map(one => ({ ...one, row: one.row.map(x => x * length) }))
    const drawn = [...directionsOf(plan, 'random', material), ...directionsOf(plan, 'foreign', material)]
    const latent = { control: 'latent', controlId: null, row: own }
    const rows = await sameEdits(material, plan, [latent, ...scaled(alikeOf(material, plan))], pause)
    const kl = mean(rows.filter(({ control }) => control === 'latent').map(row => row.kl))
    for (const place of plan.documents.ablate) {
      rows.push(...projections(material, plan, place, drawn), ...reconstructions(material, plan, place))
      await pause()
    }
    rows.push(...(await equalKl(material, plan, scaled(drawn), kl, pause)))
    return rows
  },

  judge: (tested, settings) => tested.map(one => (one.rows.length === 0 ? null : findingsOf(one, settings))),
})

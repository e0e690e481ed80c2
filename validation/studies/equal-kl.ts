/** Controls at equal KL: the latent's edit along each, scaled until it changes the prediction as much as the latent does. */
import { mean } from '../../statistics/descriptive.ts'
import type { LatentPlan, Material } from '../claims/plan.ts'
import type { Direction } from './controls-drawn.ts'
import type { ControlsRow } from './controls-found.ts'
import { sameEdits } from './controls-measured.ts'

/** Factors that bring a control's KL to the latent's are sought within these bounds. */
const scaleBounds = { least: 1 / 64, most: 64 } as const
/** Measurements of each control on the way to equal KL; the last one counts. */
const searches = 4

/** Each direction scaled until its mean KL over the windows is `wanted`: the square root first, then the slope that two give. */
export async function equalKl(
  material: Material,
  plan: LatentPlan,
  directions: readonly Direction[],
  wanted: number,
  pause: () => Promise<void>,
): Promise<ControlsRow[]> {
  if (!(wanted > 0)) return []
  let scales = directions.map(() => 1)
  let before: { scales: readonly number[]; kl: readonly number[] } | undefined
  for (let search = 1; ; search++) {
    const rows = await sameEdits(material, plan, directions, pause, scales)
    if (search === searches) return rows.map(row => ({ ...row, control: `equal-kl-${row.control}` }))
    const kl = directions.map((_, i) =>
      mean(rows.filter((_row, place) => place % directions.length === i).map(row => row.kl)),
    )
    const last = before
    before = { scales, kl }
    scales = scales.map((scale, i) =>
      nextScale(wanted, { scale, kl: kl[i]! }, last && { scale: last.scales[i]!, kl: last.kl[i]! }),
    )
  }
}

interface Tried {
  readonly scale: number
  readonly kl: number
}

/** The scale that should give the wanted KL, which rises as a power of the scale: of 2, or that which two trials tell. */
export function nextScale(wanted: number, now: Tried, last?: Tried): number {
  if (!(now.kl > 0)) return Math.min(scaleBounds.most, 2 * now.scale)
  const told =
    last && last.kl > 0 && last.scale !== now.scale ? Math.log(now.kl / last.kl) / Math.log(now.scale / last.scale) : 2
  const power = Math.min(4, Math.max(0.5, told))
  return Math.min(scaleBounds.most, Math.max(scaleBounds.least, now.scale * (wanted / now.kl) ** (1 / power)))
}

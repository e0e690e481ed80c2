/** Whether an SAE can stand in a model: its site is there, and as wide as the SAE. */
import { UserError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import { quote } from '../core/quote.ts'
import type { Model } from '../model/model.ts'
import type { Sae } from '../sae/sae.ts'

/** Throws a `UserError` where the SAE names no site, or one that the model does not have or has in another width. */
export function mustHaveSite(
  { sites }: Pick<Model, 'sites'>,
  { width, metadata }: Pick<Sae, 'width' | 'metadata'>,
): void {
  const name = metadata.hook_name
  if (!name)
    throw new UserError('The SAE does not say which site of the model it reads.', {
      fix: 'Import it again with --site, such as --site blocks.3.hook_resid_post.',
    })
  const site = sites.find(one => one.name === name)
  const names = sites.map(one => one.name)
  if (!site)
    throw new UserError(`The SAE reads ${quote(name)}, but the model has no such site.`, {
      fix: `The nearest are ${nearest(name, names).join(', ')}. Use the model that the SAE was trained on.`,
    })
  const size = site.size.reduce((product, one) => product * one, 1)
  if (size !== width)
    throw new UserError(`The SAE is ${width} wide, but the model's ${name} is ${size} wide.`, {
      fix: 'Use the model that the SAE was trained on.',
    })
}

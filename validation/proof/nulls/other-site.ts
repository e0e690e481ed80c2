/**
 * An SAE trained at another site of the model. Where the residual stream carries its directions on, they are causes there, too, and
 * claims of them are rightly supported: it shows what verdicts do not tell, and is no null in that case.
 */
import type { Null } from '../case.ts'

export const otherSite: Null = {
  text: 'SAE trained at another site',
  async make({ sae, otherSite: other }) {
    if (!other) return undefined
    return {
      sae: {
        ...other,
        metadata: { ...other.metadata, hook_name: sae.metadata.hook_name },
        hash: `${other.hash}-moved`,
      },
      dispose() {},
    }
  },
}

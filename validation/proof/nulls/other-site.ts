/** An SAE trained at another site of the model. */
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

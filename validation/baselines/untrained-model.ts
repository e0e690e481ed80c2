/**
 * An SAE trained on a model whose weights mean nothing, put to the test in that model (Heap et al. 2025, arXiv:2501.17727): what
 * passes there comes from the text, not from what a model learned of it.
 */
import { loadModel } from '../../model/load.ts'
import type { Baseline } from './baseline.ts'
import { trainBaseline } from './trained.ts'

export const untrainedModel: Baseline = {
  text: 'an SAE of the model with shuffled weights',
  byDefault: false,
  drawn: true,
  async make(source) {
    const { material, repetition } = source
    const model = await loadModel(material.model.path, { shuffled: material.seed + repetition })
    try {
      const sae = await trainBaseline(source, model)
      return {
        sae,
        model,
        dispose() {
          sae.dispose()
          model.dispose()
        },
      }
    } catch (error) {
      model.dispose()
      throw error
    }
  },
}

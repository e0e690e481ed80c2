/** The stage truth: SAEs learn a world whose features are known, and are measured against them. */
import { firstFigures } from '../../runs/first-figures.ts'
import { fillTruth, resolveTruth, TruthConfig } from '../../sae/truth/settings.ts'
import { defineStage, ownConfig } from './stage.ts'

export default defineStage({
  stage: 'truth',
  about:
    'Trains SAEs on samples of a synthetic world whose features are known, and says how many of them each has found: F1, MCC, uniqueness, explained variance. Samples are drawn as they are needed and never stored.',
  config: TruthConfig,
  figures: firstFigures.truth,
  inputs: {},
  async prepare(config) {
    const settings = fillTruth(ownConfig(TruthConfig, config))
    resolveTruth(settings)
    return {
      config: settings,
      inputs: [],
      async work(context) {
        const { truthStage } = await import('../../sae/truth/stage.ts')
        return truthStage(context, settings)
      },
    }
  },
})

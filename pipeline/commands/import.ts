/** `pipeline import`: an SAE that was trained elsewhere becomes a run, so that it can be validated like one of ours. */
import stage from '../stages/import.ts'
import { stageCommand } from './stage-command.ts'

export default stageCommand(stage, {
  examples: [
    'pipeline import --from my-sae --model ./my-model --dataset text/ --name theirs',
    'pipeline import --from gemma-scope-2b-pt-res/layer_12/width_16k/average_l0_82 --name gemma-12',
  ],
  footer: '`pipeline import labels` takes in labels that were made elsewhere.',
  next: ({ id }) => `pipeline validate --sae ${id}`,
})

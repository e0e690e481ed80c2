/** `pipeline label`: what each feature of an SAE is about. */
import stage from '../stages/label.ts'
import { stageCommand } from './stage-command.ts'

export default stageCommand(stage, {
  examples: [
    'pipeline label --sae run42 --evidence run42-validate',
    'pipeline label --sae run42 --explainer.endpoint http://localhost:8000/v1 --explainer.model MODEL',
  ],
  next: ({ id }) => `pipeline export labels --run ${id} --to csv --output labels.csv`,
})

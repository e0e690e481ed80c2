/** `pipeline validate`: model × SAE × held-out text → evidence. */
import stage from '../stages/validate.ts'
import { stageCommand } from './stage-command.ts'

export default stageCommand(stage, {
  examples: ['pipeline validate --sae run42', 'pipeline validate --sae run42 --model ./my-model --dataset text/'],
  next: ({ id, config }) => `pipeline label --sae ${config.sae} --evidence ${id}`,
})

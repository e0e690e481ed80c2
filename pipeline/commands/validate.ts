/** `pipeline validate`: model × SAE × held-out text → evidence. */
import { shellWord } from '../../core/shell.ts'
import stage from '../stages/validate.ts'
import { stageCommand } from './stage-command.ts'

export default stageCommand(stage, {
  examples: ['pipeline validate --sae run42', 'pipeline validate --sae run42 --model ./my-model --dataset text/'],
  next: ({ id, config }) => `pipeline label --sae ${shellWord(String(config.sae))} --evidence ${id}`,
})

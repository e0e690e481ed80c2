/** `pipeline capture`: model × text → activation shards. */
import stage from '../stages/capture.ts'
import { stageCommand } from './stage-command.ts'

export default stageCommand(stage, {
  examples: [
    'pipeline capture --model toyworld --dataset toyworld --sites blocks.1.hook_resid_post',
    'pipeline capture --config capture.yaml --dataset.documents 1000',
  ],
  next: ({ id }) => `pipeline train --capture ${id}`,
})

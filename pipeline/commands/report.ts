/** `pipeline report`: one HTML page about an SAE and its features. */
import { join } from 'node:path'
import stage from '../stages/report.ts'
import { stageCommand } from './stage-command.ts'

export default stageCommand(stage, {
  examples: ['pipeline report --sae run42 --evidence run42-validate --labels run42-label'],
  tells: directory => `Report: ${join(directory, 'report.html')}`,
})

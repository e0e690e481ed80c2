/** `pipeline train`: activation shards → an SAE, or several that share one pass over them. */
import stage from '../stages/train.ts'
import { stageCommand } from './stage-command.ts'

export default stageCommand(stage, {
  examples: [
    'pipeline train --capture capture-calm-heron-3f2a --latents 512 --k 16',
    'pipeline train --capture capture-calm-heron-3f2a --grid.k 8,16,32 --grid.latents 512,1024',
    'pipeline train -c train.yaml',
  ],
  hides: key => key.startsWith('grid.') || (key.startsWith('fidelity.dataset.') && key !== 'fidelity.dataset.path'),
  footer:
    'Several SAEs: --grid.<key> with any key of the settings and a list of values makes one for every combination; in a file, `grid: { k: [8, 16] }`, or `saes:` with an entry of keys for each (docs/sae.md). The other keys of fidelity.dataset are those of `capture --dataset`.',
  next: ({ id }) => `pipeline validate --sae ${id}`,
})

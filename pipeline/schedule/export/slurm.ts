/**
 * A script that submits the file to Slurm: an array of shares for each stage that can be shared, a job for what comes before
 * the next such stage, each after the one before, and at last the schedule's own time. Jobs that Slurm stops, or that meet a
 * fault that may pass, put themselves back into the queue.
 */
import { shellWord } from '../../../core/shell.ts'
import { stagesOf } from '../../stages/file.ts'
import type { ExportRequest } from './request.ts'

export function slurm({ entry, file, runs, command, shares }: ExportRequest): string {
  const { onFailure } = file.schedule
  const planned = stagesOf(file).map(({ stage }) => stage)
  const run = `${command} run ${shellWord(entry.file)} --runs-dir ${shellWord(runs)}`
  const name = `pipeline-${entry.name}`
  const jobs: string[] = []
  for (const [i, stage] of planned.entries()) {
    if (!stage.divisible) continue
    // What comes before a shared stage is done by one job, so that the shares find it finished.
    const before = planned[i - 1]
    if (before) jobs.push(job(name, `${run} --until ${before.stage}`))
    const share = `${run} --until ${stage.stage} --shard "$SLURM_ARRAY_TASK_ID" --of ${shares}`
    jobs.push(job(name, share, `--array=0-${shares - 1}`))
  }
  jobs.push(job(name, `${command} schedule run-now ${shellWord(entry.name)} --runs-dir ${shellWord(runs)}`))
  return `#!/bin/sh
# Submits ${entry.name} to Slurm; prints the ids of its jobs. For set times: scrontab on the login node, with the line
#   ${file.schedule.cron} /path/to/this/script
${
  onFailure.webhook === undefined
    ? ''
    : `# Of onFailure: ${onFailure.webhook} has to be set where this is started; sbatch takes the environment along.
`
}# More for sbatch, such as a partition or memory, may be given in PIPELINE_SBATCH.
set -eu
cd ${shellWord(entry.folder)}
after=

${jobs.join('\n')}`
}

/** Submits one job, or an array, after the one before. */
function job(name: string, command: string, array = ''): string {
  const options = [
    '--parsable --requeue --open-mode=append --signal=B:TERM@120 --kill-on-invalid-dep=yes',
    `--job-name=${shellWord(name)}`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
    '${after:+--dependency=afterok:$after}',
    array,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
    '${PIPELINE_SBATCH:-}',
  ]
  return `after=$(sbatch ${options.filter(Boolean).join(' ')} <<'JOB'
#!/bin/bash
child= stopped=
trap 'stopped=1; if [ -n "$child" ]; then kill -TERM "$child"; fi' TERM
${command} &
child=$!
# The signal may have come before there was a child to tell.
if [ -n "$stopped" ]; then kill -TERM "$child"; fi
# A signal ends the first wait; the child is waited for until it has stopped where it can go on.
wait "$child"; code=$?
while kill -0 "$child" 2>/dev/null; do wait "$child"; code=$?; done
case $code in
  # Stopped, or a fault that may pass: again, under the id that tells an array's task.
  4|75|143)
    id=$SLURM_JOB_ID
    if [ -n "\${SLURM_ARRAY_JOB_ID:-}" ]; then id="\${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"; fi
    scontrol requeue "$id"
    exit 75 ;;
  # A gate failed, or evidence is inconclusive: what comes after is done all the same.
  2|3) exit 0 ;;
esac
exit $code
JOB
)
echo "$after"
`
}

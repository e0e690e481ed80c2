/**
 * A CronJob of Kubernetes that does the schedule, and, for a stage that can be shared, an Indexed Job whose pods each do one
 * share. Exit codes say what is tried again: 1 to 3 give the same however often they are tried, 4 is an eviction.
 */
import { stringify } from 'yaml'
import { UserError } from '../../../core/errors.ts'
import { stagesOf } from '../../stages/file.ts'
import { expressionOf, fieldsOf } from './fields.ts'
import type { ExportRequest } from './request.ts'

export function k8s(request: ExportRequest): string {
  return manifests(request)
    .map(manifest => stringify(manifest, { lineWidth: 0 }))
    .join('---\n')
}

/** The CronJob, then a job for each stage that can be shared, in the order in which they are to be started. */
export function manifests({ entry, file, runs, command, image, claim, shares }: ExportRequest): object[] {
  if (!image || !claim)
    throw new UserError(
      '--k8s needs --image, which has this program, and --claim, the volume with runs, model and text.',
    )
  const { timezone, misfire, onFailure } = file.schedule
  const cron = expressionOf(fieldsOf(file.schedule.cron, 'Kubernetes'))
  const name = `pipeline-${entry.name}`
    .toLowerCase()
    .replace(/[^a-z0-9-]/g, '-')
    .slice(0, 45)
    .replace(/-+$/, '')
  const pod = (args: readonly string[], secrets: readonly object[] = []) => ({
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 600,
    containers: [
      {
        name: 'pipeline',
        image,
        command: command.split(' '),
        args,
        workingDir: entry.folder,
        ...(secrets.length > 0 ? { env: secrets } : {}),
        volumeMounts: [{ name: 'work', mountPath: entry.folder }],
      },
    ],
    volumes: [{ name: 'work', persistentVolumeClaim: { claimName: claim } }],
  })
  // `kubectl create secret generic NAME --from-literal=VARIABLE=ADDRESS` makes what a notice needs.
  const notice =
    onFailure.webhook === undefined
      ? []
      : [{ name: onFailure.webhook, valueFrom: { secretKeyRef: { name, key: onFailure.webhook, optional: true } } }]
  const onExit = (action: string, values: readonly number[]) => ({
    action,
    onExitCodes: { containerName: 'pipeline', operator: 'In', values },
  })
  const evicted = { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }
  const whole = {
    backoffLimit: 3,
    podFailurePolicy: { rules: [evicted, onExit('FailJob', [1, 2, 3])] },
    template: { spec: pod(['schedule', 'run-now', entry.name, '--runs-dir', runs], notice) },
  }
  const cronJob = {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: { name },
    spec: {
      schedule: cron,
      timeZone: timezone,
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: misfire === 'once' ? 86_400 : 60,
      jobTemplate: { spec: whole },
    },
  }
  const shared = stagesOf(file)
    .filter(({ stage }) => stage.divisible)
    .map(({ stage }) => ({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: `${name}-${stage.stage}` },
      spec: {
        completionMode: 'Indexed',
        completions: shares,
        parallelism: shares,
        backoffLimitPerIndex: 3,
        maxFailedIndexes: 0,
        podFailurePolicy: { rules: [evicted, onExit('FailIndex', [1, 2, 3])] },
        template: {
          spec: pod([
            ...['run', entry.file, '--runs-dir', runs, '--until', stage.stage],
            ...['--shard', '$(JOB_COMPLETION_INDEX)', '--of', String(shares)],
          ]),
        },
      },
    }))
  return [cronJob, ...shared]
}

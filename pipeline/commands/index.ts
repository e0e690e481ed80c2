/** Every command by name. A definition is loaded when it is called, so that help comes at once. */
import type { CommandDefinition } from '../command.ts'

/** A command, which may have others below it, or a group of commands. */
export type CommandEntry =
  | { readonly summary: string; load(): Promise<CommandDefinition>; readonly commands?: CommandEntries }
  | { readonly summary: string; readonly load?: never; readonly commands: CommandEntries }
export type CommandEntries = Readonly<Record<string, CommandEntry>>

export const commands: Readonly<Record<string, CommandEntry>> = {
  run: { summary: 'Do all stages of one YAML file', load: async () => (await import('./run.ts')).default },
  capture: {
    summary: "Record a model's activations on text, sampled by stratum",
    load: async () => (await import('./capture.ts')).default,
  },
  train: {
    summary: 'Fit a sparse autoencoder (SAE) on captured activations',
    load: async () => (await import('./train.ts')).default,
  },
  validate: {
    summary: 'Test features causally, with controls, on held-out text',
    load: async () => (await import('./validate.ts')).default,
  },
  claims: {
    summary: 'Write down what features should cause, before it is measured',
    commands: {
      template: {
        summary: 'A file of claims from discovery text, to be changed',
        load: async () => (await import('./claims.ts')).template,
      },
    },
  },
  evidence: {
    summary: 'Check evidence, and list all that an SAE was put to',
    commands: {
      verify: {
        summary: 'Compute every number and verdict again from the raw values',
        load: async () => (await import('./evidence.ts')).verify,
      },
      ledger: {
        summary: 'Every validate run of an SAE, and which verdicts stand among them',
        load: async () => (await import('./evidence.ts')).ledger,
      },
    },
  },
  label: {
    summary: 'Say what each feature is about, with examples',
    load: async () => (await import('./label.ts')).default,
  },
  report: {
    summary: 'Write one HTML page about an SAE and its features',
    load: async () => (await import('./report.ts')).default,
  },
  serve: {
    summary: 'Show runs and features as pages, and as an API for other programs',
    load: async () => (await import('./serve.ts')).default,
  },
  export: {
    summary: 'Hand labels or an SAE to other programs',
    commands: {
      labels: {
        summary: 'Feature labels for Neuronpedia, SAEDashboard, delphi, SAEBench, or as tables',
        load: async () => (await import('./export-labels.ts')).default,
      },
      sae: {
        summary: 'An SAE in the format of SAELens, dictionary_learning, sparsify or Gemma Scope',
        load: async () => (await import('./export-sae.ts')).default,
      },
    },
  },
  import: {
    summary: 'Take in an SAE that was trained elsewhere',
    load: async () => (await import('./import.ts')).default,
    commands: {
      labels: {
        summary: 'Labels made elsewhere, as claims for the causal test',
        load: async () => (await import('./import-labels.ts')).default,
      },
    },
  },
  runs: {
    summary: 'Look at the runs there are',
    commands: {
      list: { summary: 'All runs, oldest first', load: async () => (await import('./runs.ts')).list },
      show: { summary: "One run's manifest and figures", load: async () => (await import('./runs.ts')).show },
      lineage: {
        summary: 'What a run was made from, and what was made from it',
        load: async () => (await import('./runs.ts')).lineage,
      },
      diff: { summary: 'Where two runs differ', load: async () => (await import('./runs.ts')).diff },
      drift: {
        summary: 'Whether two runs are of one distribution',
        load: async () => (await import('./drift.ts')).default,
      },
      verify: {
        summary: "Hash a run's files and inputs again",
        load: async () => (await import('./runs.ts')).verify,
      },
      publish: {
        summary: 'Leave a run in a store of objects, such as S3',
        load: async () => (await import('./publish.ts')).publish,
      },
      fetch: {
        summary: 'Take a run from a store of objects',
        load: async () => (await import('./publish.ts')).fetch,
      },
    },
  },
  schedule: {
    summary: 'Do pipeline files at set times',
    commands: {
      add: {
        summary: 'Take in a file that says when it is due',
        load: async () => (await import('./schedule.ts')).add,
      },
      list: { summary: 'All schedules, and when each is due', load: async () => (await import('./schedule.ts')).list },
      remove: { summary: 'Take one out; its runs stay', load: async () => (await import('./schedule.ts')).remove },
      'run-now': { summary: 'Do one now', load: async () => (await import('./schedule.ts')).runNow },
      start: { summary: 'Do all as their times come', load: async () => (await import('./schedule.ts')).start },
      journal: { summary: 'What came of each time', load: async () => (await import('./schedule.ts')).journal },
      export: {
        summary: 'What systemd, cron, Kubernetes or Slurm need to do one',
        load: async () => (await import('./schedule.ts')).exported,
      },
    },
  },
  worker: {
    summary: 'Do jobs of a queue, on this machine',
    load: async () => (await import('./worker.ts')).default,
  },
  queue: {
    summary: 'Look after a queue of jobs',
    commands: {
      status: { summary: 'What waits, is in work and failed', load: async () => (await import('./queue.ts')).status },
      retry: { summary: 'Let failed jobs wait again', load: async () => (await import('./queue.ts')).retry },
      drain: { summary: 'Remove the jobs that wait', load: async () => (await import('./queue.ts')).drain },
    },
  },
  model: {
    summary: 'Look at a host model',
    commands: {
      info: { summary: 'Sizes, sites and hash of a model', load: async () => (await import('./model.ts')).info },
      pull: { summary: 'Fetch a model from a hub into its cache', load: async () => (await import('./pull.ts')).model },
      verify: {
        summary: 'Compare a model with reference values made elsewhere',
        load: async () => (await import('./model.ts')).verify,
      },
    },
  },
  dataset: {
    summary: 'Get texts',
    commands: {
      pull: {
        summary: 'Fetch a dataset from a hub into its cache',
        load: async () => (await import('./pull.ts')).dataset,
      },
    },
  },
  sae: {
    summary: 'Check and compare SAEs',
    commands: {
      verify: {
        summary: 'Compare an SAE with values its own library stored',
        load: async () => (await import('./sae.ts')).verify,
      },
      'verify-training': {
        summary: "Replay another library's training steps",
        load: async () => (await import('./sae.ts')).verifyTraining,
      },
      quality: {
        summary: 'How well an SAE reconstructs rows, and how sparsely',
        load: async () => (await import('./sae-quality.ts')).default,
      },
      measure: {
        summary: 'What an SAE keeps in its model, and how good its latents are',
        load: async () => (await import('./sae-measure.ts')).default,
      },
      reference: {
        summary: "An SAE's latents and reconstructions of rows, for other programs to compare with",
        load: async () => (await import('./sae-reference.ts')).default,
      },
      compare: { summary: 'What two SAEs have in common', load: async () => (await import('./sae.ts')).compare },
      truth: {
        summary: 'Train SAEs on features that are known, and count what they find',
        load: async () => (await import('./sae-truth.ts')).default,
      },
    },
  },
  doctor: {
    summary: 'What would be used on this machine; --install gets TensorFlow',
    load: async () => (await import('./doctor.ts')).default,
  },
}

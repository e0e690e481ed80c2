/** A store for the serve benchmark: a train run with 10,000 steps that is still running, and a label run of many features. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Random } from '../core/random.ts'
import { writeTable } from '../datasets/tables.ts'
import { evidenceOf, featureOf, testedAs } from '../labels/evidence.fixture.ts'
import { labelsSchema } from '../labels/feature.ts'
import { writeFeatures } from '../labels/tables.ts'
import { contentHash } from '../runs/seal.ts'
import { RunStore } from '../runs/store.ts'

const request = { config: {}, inputs: [], seed: 0, engine: {}, versions: {}, machine: {} }
const now = () => new Date(Date.UTC(2026, 0, 1))

/** Writes the store: equal bytes for an equal number of features. */
export async function makeServeStore(folder: string, features: number): Promise<void> {
  const store = new RunStore(folder)
  const validate = await store.open({ ...request, stage: 'validate', name: 'validate' }, now)
  if (validate.state === 'unchanged') throw new Error('The folder is new.')
  await writeFile(join(validate.run.directory, 'evidence.json'), JSON.stringify(evidenceOf([{ feature: 1 }])))
  await validate.run.finish({ latents: 1 })
  const evidence = { role: 'evidence', run: 'validate', sha256: contentHash((await store.find('validate')).manifest) }
  const label = await store.open({ ...request, inputs: [evidence], stage: 'label', name: 'label' }, now)
  if (label.state === 'unchanged') throw new Error('The folder is new.')
  await writeLabels(label.run.directory, features)
  await label.run.finish({ latents: features, tokens: 1e6 })
  const train = await store.open({ ...request, stage: 'train', name: 'train' }, now)
  if (train.state === 'unchanged') throw new Error('The folder is new.')
  for (let step = 0; step < 10_000; step++) train.run.metrics.append({ step, loss: 1 / (1 + step), fvu: 0.1 })
}

async function writeLabels(directory: string, count: number): Promise<void> {
  await mkdir(directory, { recursive: true })
  const random = new Random(0, 'serve')
  const words = ['red', 'apple', 'river', 'seven', 'because', 'Monday', 'green', 'stone']
  const word = () => words[random.int(words.length)]!
  const verdicts = ['pass', 'fail', 'inconclusive'] as const
  const tokens = (n: number) =>
    Array.from({ length: n }, () => ({ token: `token${random.int(5000)}`, effect: random.normal() }))
  const features = Array.from({ length: count }, (_, latent) =>
    featureOf(latent, {
      label: random.uniform() < 0.6 ? `${word()} ${word()} ${random.int(1000)}` : null,
      density: 10 ** (-5 * random.uniform()),
      maxActivation: 20 * random.uniform(),
      promoted: tokens(8),
      suppressed: tokens(8),
      evidence:
        random.uniform() < 0.2
          ? testedAs({ verdict: verdicts[random.int(3)]!, effect: random.normal(), q: random.uniform() })
          : null,
    }),
  )
  await writeFeatures(directory, features)
  const examples = Array.from({ length: 2 * count }, (_, i) => i >> 1)
  const text = Array.from({ length: 16 }, (_, i) => ` ${words[i % words.length]}`)
  const column = (values: unknown[]) => ({ type: 'int32' as const, values: values as number[] })
  await writeTable(
    join(directory, 'examples.parquet'),
    {
      latent: column(examples),
      group: { type: 'string', values: examples.map(() => 'top') },
      window: { type: 'string', values: examples.map(latent => `w${latent % 999}`) },
      position: column(examples.map(() => 8)),
      start: column(examples.map(() => 0)),
      activation: { type: 'float32', values: examples.map(() => 1) },
      tokens: { type: 'list<string>', values: examples.map(() => text) },
      activations: { type: 'list<float32>', values: examples.map(() => text.map((_, i) => (i === 8 ? 1 : 0))) },
    },
    { rowGroupRows: 2000, schema: labelsSchema },
  )
}

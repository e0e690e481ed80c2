/** A damaged input is refused by every stage and export that reads it, by name, and leaves no run behind. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { silent } from '../../core/progress.ts'
import { writeTinyModel } from '../../tests/tiny-model.ts'
import { readCommand } from '../command.ts'
import { type CommandEntry, commands } from '../commands/index.ts'

const site = 'blocks.0.hook_resid_post'
let folder: string
/** Runs as they should be. */
let whole: string

/** Runs a command in this process, as the command line would. */
async function pipeline(runs: string, ...args: string[]): Promise<unknown> {
  let entry: CommandEntry | undefined
  let entries: Readonly<Record<string, CommandEntry>> | undefined = commands
  const rest = [...args]
  while (entries) {
    entry = entries[rest.shift()!]!
    entries = entry.commands
  }
  const { run } = await readCommand(
    args[0]!,
    await (entry as Extract<CommandEntry, { load: unknown }>).load(),
    [...rest, '--runs-dir', runs],
    80,
  )
  const { signal } = new AbortController()
  return (await run({ progress: silent, signal, now: () => new Date(0), columns: 80 })).json
}

const stages = {
  train: 'train --capture captured --latents 32 --k 8 --epochs 2 --batchTokens 64 --deadAfterTokens 5000'.split(' '),
  validate:
    'validate --sae trained --latents 1 --documents 6 --controls.tied 19 --controls.random 19 --controls.foreign 19 --bootstrap 200 --tokens 2000 --maxTokens 2000 --studies halves'.split(
      ' ',
    ),
  label: 'label --sae trained --evidence validated --tokens 2000'.split(' '),
  report: 'report --sae trained --evidence validated --labels labelled'.split(' '),
} as const
const exports = {
  labels: (to: string) => ['export', 'labels', '--run', 'labelled', '--to', 'csv', '--output', join(to, 'out.csv')],
  sae: (to: string) => ['export', 'sae', '--run', 'trained', '--output', join(to, 'out')],
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-reading-'))
  whole = join(folder, 'whole')
  const model = join(folder, 'model')
  await writeTinyModel(model)
  const text = ['--dataset', 'toyworld', '--dataset.documents', '150']
  await pipeline(whole, 'capture', '--model', model, ...text, '--sites', site, '--name', 'captured')
  await pipeline(whole, ...stages.train, '--name', 'trained')
  await pipeline(whole, ...stages.validate, '--name', 'validated')
  await pipeline(whole, ...stages.label, '--name', 'labelled')
}, 120_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A copy of the runs with one bit of a file flipped, in which the verdicts, figures or weights change and the form stays. */
function damaged(run: string, file: string): string {
  const runs = mkdtempSync(join(folder, 'damaged-'))
  cpSync(whole, runs, { recursive: true })
  const path = join(runs, run, file)
  const bytes = readFileSync(path)
  // A digit or a float's low bits, so that whatever reads it finds nothing odd.
  const at = file.endsWith('json') || file.endsWith('jsonl') ? bytes.lastIndexOf(48) : bytes.length - 4
  bytes[at]! ^= 1
  writeFileSync(path, bytes)
  return runs
}

test.each<[string, string, string, readonly string[]]>([
  ['train', 'captured', 'capture.json', stages.train],
  ['train', 'captured', 'shard-00000.arrow', stages.train],
  ['validate', 'trained', 'cfg.json', stages.validate],
  ['validate', 'trained', 'sae_weights.safetensors', stages.validate],
  ['validate', 'captured', 'capture.json', stages.validate],
  ['label', 'trained', 'cfg.json', stages.label],
  ['label', 'trained', 'sae_weights.safetensors', stages.label],
  ['label', 'validated', 'evidence.json', stages.label],
  ['report', 'labelled', 'features.jsonl', stages.report],
  ['report', 'labelled', 'examples.parquet', stages.report],
  ['report', 'validated', 'evidence.json', stages.report],
  ['report', 'trained', 'metrics.jsonl', stages.report],
  ['report', 'captured', 'capture.json', stages.report],
])('%s refuses damage to %s/%s', async (_, run, file, args) => {
  const runs = damaged(run, file)
  await expect(pipeline(runs, ...args, '--seed', '7', '--name', 'made')).rejects.toMatchObject({
    exitCode: 1,
    message: expect.stringContaining(file),
  })
  expect(readdirSync(runs)).not.toContain('made')
})

test.each<[keyof typeof exports, string, string]>([
  ['labels', 'labelled', 'features.jsonl'],
  ['sae', 'trained', 'cfg.json'],
  ['sae', 'trained', 'sae_weights.safetensors'],
  ['sae', 'trained', 'sparsity.safetensors'],
])('export %s refuses damage to %s/%s', async (which, run, file) => {
  const runs = damaged(run, file)
  await expect(pipeline(runs, ...exports[which](runs))).rejects.toThrow(
    `The file ${file} of the run ${run} is not what its manifest says: changed.`,
  )
  expect(readdirSync(runs).filter(name => name.startsWith('out'))).toEqual([])
})

test('a changed manifest of an input, or of what that was made from, is refused', async () => {
  for (const [run, stage] of [
    ['trained', stages.label],
    ['captured', stages.validate],
  ] as const) {
    const runs = mkdtempSync(join(folder, 'damaged-'))
    cpSync(whole, runs, { recursive: true })
    const path = join(runs, run, 'run.json')
    writeFileSync(path, readFileSync(path, 'utf8').replace('"seed": 0', '"seed": 1'))
    await expect(pipeline(runs, ...stage, '--name', 'made')).rejects.toThrow(`${run} is damaged: run.json: changed.`)
    expect(readdirSync(runs)).not.toContain('made')
  }
})

test('shards that change while they are learnt from leave no run, also where it had begun before', async () => {
  const runs = mkdtempSync(join(folder, 'damaged-'))
  cpSync(whole, runs, { recursive: true })
  const { watchRun } = await import('./reading.ts')
  const { RunStore } = await import('../../runs/store.ts')
  const mustBeUntouched = await watchRun(await new RunStore(runs).find('captured'))
  const shard = join(runs, 'captured', 'shard-00000.arrow')
  const bytes = readFileSync(shard)
  writeFileSync(shard, bytes)
  await mustBeUntouched()
  unlinkSync(shard)
  await expect(mustBeUntouched()).rejects.toThrow('While it was read: The file shard-00000.arrow of the run captured')
})

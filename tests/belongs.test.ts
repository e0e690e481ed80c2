/** Evidence, labels and stability of another SAE, model or text are refused wherever they could be joined. */
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { hashValue } from '../core/hash.ts'
import { main } from '../pipeline/main.ts'
import { writeTinyModel } from './tiny-model.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 240_000 })

let folder: string
const at = (name: string) => join(folder, name)

/** Runs a command line in this process. */
async function pipeline(...args: string[]) {
  const printed = { stdout: '', stderr: '' }
  const spies = (['stdout', 'stderr'] as const).map(name =>
    vi.spyOn(process[name], 'write').mockImplementation((text, ...rest) => {
      printed[name] += String(text)
      const done = rest.find(one => typeof one === 'function') as (() => void) | undefined
      done?.()
      return true
    }),
  )
  try {
    const flags = [...args, '--runs-dir', at('runs')]
    return { code: await main(flags, { signal: new AbortController().signal, tell() {} }), ...printed }
  } finally {
    for (const spy of spies) spy.mockRestore()
  }
}

async function ok(line: string) {
  const { code, stderr } = await pipeline(...line.split(' '))
  expect(code, `${line}\n${stderr}`).toBe(0)
}

/** A directory in SAELens's layout with the SAE of a run. */
function saelens(name: string, run: string): string {
  mkdirSync(at(name))
  for (const file of ['cfg.json', 'sae_weights.safetensors'])
    copyFileSync(join(at('runs'), run, file), join(at(name), file))
  return at(name)
}

const text = '--dataset.path toyworld --dataset.documents 200 --dataset.heldOut.fraction 0.5'

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pipeline-belongs-'))
  await writeTinyModel(at('model'))
  await writeTinyModel(at('other-model'), { tensors: tensors => tensors['wpe.weight']!.data.fill(0.1) })
  await ok(`capture --model ${at('model')} ${text} --sites blocks.0.hook_resid_post --tokens 2000 --name c`)
  const training = '--capture c --latents 16 --k 2 --epochs 1 --batchTokens 256'
  await ok(`train ${training} --name sae-a`)
  await ok(`train ${training} --seed 7 --name sae-b`)
  const small =
    '--controls.tied 19 --controls.random 19 --controls.foreign 19 --documents 4 --tokens 1000 --maxTokens 1000 --bootstrap 200 --studies halves'
  await ok(`validate --sae sae-a --latents 1 ${small} --doses 1 --name found`)
  await ok(`label --sae sae-a --evidence found --tokens 800 --name named`)
  await ok(`sae compare sae-a sae-b --draws 0 --output ${at('shared.parquet')}`)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('what belongs together is joined, under whatever name the SAE goes', async () => {
  await ok(`report --sae sae-a --evidence found --labels named`)
  const directory = saelens('same', 'sae-a')
  await ok(`label --sae ${directory} --model ${at('model')} ${text} --evidence found --tokens 800 --name copied`)
  await ok(`label --sae sae-a --evidence found --stability ${at('shared.parquet')} --tokens 800 --name stable`)
  const records = readFileSync(join(at('runs'), 'copied/features.jsonl'), 'utf8')
    .trim()
    .split('\n')
  expect(records.map(line => JSON.parse(line)).filter(({ evidence }) => evidence)).toHaveLength(1)
})

const [theirs, ours] = ['sae-a \\(hash \\w{12}\\)', 'sae-b \\(hash \\w{12}\\)']
test.each<[string, () => string, RegExp]>([
  [
    'evidence of another SAE',
    () => '--sae sae-b --evidence found',
    RegExp(`evidence of found is about another SAE .*${theirs}, not ${ours}`),
  ],
  [
    'evidence of another SAE than that of a directory',
    () => `--sae ${saelens('other', 'sae-b')} --model ${at('model')} ${text} --evidence found`,
    RegExp(`evidence of found is about another SAE .*${theirs}, not .*other \\(hash`),
  ],
  [
    'evidence about another model',
    () => `--sae sae-a --evidence found --model ${at('other-model')}`,
    /about another model .*\/model \(hash \w+\), not .*\/other-model \(hash/,
  ],
  [
    'evidence about other documents',
    () => `--sae sae-a --evidence found ${text.replace('200', '199')}`,
    /about another text/,
  ],
  [
    'evidence about another split',
    () => `--sae sae-a --evidence found ${text.replace('0.5', '0.4')}`,
    /about another text/,
  ],
  [
    'stability of another SAE',
    () => `--sae sae-b --stability ${at('shared.parquet')}`,
    /stability table .* is about another SAE \(\w+ with 16 latents\) than the one given/,
  ],
])('label refuses %s', async (_, flags, message) => {
  const { code, stderr } = await pipeline('label', ...flags().split(' '), '--tokens', '800')
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(message) })
})

test.each([
  [
    'evidence',
    '--evidence found',
    RegExp(`evidence of found is about another SAE than the report: ${theirs}, not ${ours}`),
  ],
  ['labels', '--labels named', RegExp(`labelling named is about another SAE than the report: ${theirs}, not ${ours}`)],
])('report refuses %s of another SAE', async (_, flags, message) => {
  const { code, stderr } = await pipeline('report', '--sae', 'sae-b', ...flags.split(' '))
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(message) })
})

test('a list that names what is not there is refused with the nearest names', async () => {
  for (const [line, message] of [
    [
      'label --sae sae-a --concepts noun,nope',
      /concepts names no\w+, but the dataset toyworld has no concept .*\n {2}fix: Did you mean/,
    ],
    ['validate --sae sae-a --robustness languag', /robustness names languag, .*\n {2}fix: Did you mean language/],
    ['validate --sae sae-a --concepts nope', /concepts names nope/],
  ] as const) {
    const { code, stderr } = await pipeline(...line.split(' '))
    expect({ line, code, stderr }).toEqual({ line, code: 1, stderr: expect.stringMatching(message) })
  }
})

test('export refuses labels whose SAE or model is another by now, under the same name', async () => {
  const to = (form: string) => `export labels --run named --to ${form} --output ${at(`exported.${form}`)}`.split(' ')
  expect((await pipeline(...to('neuronpedia'))).code).toBe(0)
  const [run, other] = [join(at('runs'), 'sae-a'), join(at('runs'), 'sae-b')]
  renameSync(run, at('sae-a-before'))
  cpSync(other, run, { recursive: true })
  writeFileSync(join(run, 'run.json'), renamed(join(other, 'run.json')))
  expect(await pipeline(...to('csv'))).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/named is about another SAE than what is now sae-a: its hash was \w{12}, not \w{12}/),
  })
  rmSync(run, { recursive: true })
  renameSync(at('sae-a-before'), run)
  await writeTinyModel(at('model'), { tensors: tensors => tensors['wpe.weight']!.data.fill(0.1) })
  expect(await pipeline(...to('csv'))).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/named is about another model than what is now .*\/model: its hash was/),
  })
})

/** The manifest of sae-b as it would be had that been made as sae-a. */
function renamed(path: string): string {
  const { sha256: _, ...manifest } = { ...JSON.parse(readFileSync(path, 'utf8')), id: 'sae-a' }
  return JSON.stringify({ ...manifest, sha256: hashValue(manifest) })
}

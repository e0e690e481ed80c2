/** What `pipeline model …` says of the built-in model. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { toyworldModelDirectory } from '../../datasets/toyworld/index.ts'
import { startEngine } from '../../engine/engine.ts'
import { writeSafetensors } from '../../engine/safetensors.ts'
import { type Tensor2D, tf } from '../../engine/tf.ts'
import { loadModel } from '../../model/load.ts'
import type { CommandDefinition } from '../command.ts'
import { session } from '../stages/store.fixture.ts'
import { info, verify } from './model.ts'

const folder = mkdtempSync(join(tmpdir(), 'pipeline-model-command-'))
const reference = join(folder, 'reference.safetensors')
let logits: Float32Array
let shape: number[]

beforeAll(async () => {
  await startEngine()
  const model = await loadModel(toyworldModelDirectory())
  const value = tf.tidy(() => model.run(tf.tensor2d([[1, 2, 3]], undefined, 'int32') as Tensor2D))
  shape = value.shape
  logits = Float32Array.from(value.dataSync())
  value.dispose()
  model.dispose()
})
afterAll(() => rmSync(folder, { recursive: true }))

async function said(command: CommandDefinition, config: Record<string, unknown> = {}) {
  const parsed = command.config.parse({ model: 'toyworld', ...config })
  const { text, json, exitCode = 0 } = await command.run(parsed as never, { ...session, columns: 80 })
  return { text, json: json as Record<string, never>, exitCode }
}

test('info lists sizes and sites', async () => {
  const { text, json } = await said(info)
  expect(text).toMatch(/family\s+gpt2/)
  expect(text).toMatch(/blocks\.0\.mlp\.hook_in\s+batch, position, width/)
  expect((json.sites as { name: string }[]).map(({ name }) => name)).toContain('blocks.0.mlp.hook_out')
})

describe('verify', () => {
  const write = async (change: number, tokenized?: { text: string; ids: number[] }[]) => {
    const data = logits.slice()
    data[0]! += change
    await writeSafetensors(reference, { logits: { shape, data } })
    writeFileSync(join(folder, 'reference.json'), JSON.stringify({ input_ids: [[1, 2, 3]], tokenized }))
  }

  test('says by which rule values agree', async () => {
    await write(0)
    const { text, exitCode } = await said(verify, { reference })
    expect(exitCode).toBe(0)
    expect(text).toContain('all within the tolerance of 1.00e-4 + 1.00e-5 × the largest value of the tensor')
    expect(text).toContain('The reference has no texts')
  })

  test('fails beyond both tolerances together', async () => {
    await write(0.01)
    const { text, exitCode } = await said(verify, { reference })
    expect(exitCode).toBe(2)
    expect(text).toMatch(/logits .* beyond the tolerance/)
    expect(text).toContain('0 of 1 within the tolerance')
    expect((await said(verify, { reference, tolerance: 0.02 })).exitCode).toBe(0)
    expect((await said(verify, { reference, relativeTolerance: 0.1 })).exitCode).toBe(0)
  })

  test('compares token ids of texts', async () => {
    const ids = [258, 3]
    await write(0, [{ text: '', ids: [] }])
    expect((await said(verify, { reference })).text).toContain('The token ids of all 1 texts are equal.')
    await write(0, [
      { text: '', ids: [] },
      { text: 'no such tokens', ids },
    ])
    const { text, json, exitCode } = await said(verify, { reference })
    expect(exitCode).toBe(2)
    expect(text).toMatch(/1 of 2 texts have other token ids:\n {2}"no such tokens": token 0 is \d+, expected 258/)
    expect(json).toMatchObject({ texts: { given: 2, compared: 2, different: [{ expected: ids }] }, passed: false })
  })
})

/** How much memory loading takes beside the weights themselves, measured in processes of their own. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { writeSafetensors } from '../engine/safetensors.ts'
import { stateDictPieces } from '../engine/torch/writer.ts'
import { compiledCli } from '../tests/compiled.ts'

/** 80 MB of weights in 21 tensors, the largest an eighth of them. */
const sizes = { n_embd: 512, n_layer: 6, vocab_size: 5000, n_positions: 64, n_head: 8 }

function weights() {
  const { n_embd: d, n_layer: layers, vocab_size: vocabulary, n_positions: positions } = sizes
  const shapes: Record<string, number[]> = { 'wte.weight': [vocabulary, d], 'wpe.weight': [positions, d] }
  for (const norm of ['ln_f', ...Array.from({ length: layers }, (_, l) => [`h.${l}.ln_1`, `h.${l}.ln_2`]).flat()])
    for (const part of ['weight', 'bias']) shapes[`${norm}.${part}`] = [d]
  for (let l = 0; l < layers; l++)
    for (const [name, from, to] of [
      ['attn.c_attn', d, 3 * d],
      ['attn.c_proj', d, d],
      ['mlp.c_fc', d, 4 * d],
      ['mlp.c_proj', 4 * d, d],
    ] as const) {
      shapes[`h.${l}.${name}.weight`] = [from, to]
      shapes[`h.${l}.${name}.bias`] = [to]
    }
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const data = new Float32Array(shape.reduce((a, b) => a * b)).map((_, i) => ((i * 7919) % 1000) / 1e4)
      return [name, { shape, data }]
    }),
  )
}

const script = `
import { readFileSync, writeFileSync } from 'node:fs'
const [root, folder] = process.argv.slice(1)
const { startEngine } = await import(root + '/engine/engine.js')
const { loadModel } = await import(root + '/model/load.js')
const { tf } = await import(root + '/engine/tf.js')
await startEngine()
tf.tensor([1]).add(1).dataSync()
const read = key => 1024 * Number(new RegExp(key + ':\\\\s+(\\\\d+)').exec(readFileSync('/proc/self/status', 'utf8'))[1])
globalThis.gc()
writeFileSync('/proc/self/clear_refs', '5')
const before = read('VmRSS')
await loadModel(folder)
console.log(read('VmHWM') - before)
`

test.runIf(existsSync('/proc/self/clear_refs'))(
  'a model is loaded in less than 1.2 times the memory of its weights, from both kinds of file',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'load-memory-'))
    try {
      const all = weights()
      const root = join(compiledCli(), '../..')
      for (const kind of ['pytorch_model.bin', 'model.safetensors']) {
        const own = join(folder, kind.replace('.', '-'))
        await mkdir(own)
        const config = { model_type: 'gpt2', activation_function: 'gelu_new', ...sizes }
        await writeFile(join(own, 'config.json'), JSON.stringify(config))
        const path = join(own, kind)
        if (kind.endsWith('.bin')) await writeFile(path, Buffer.concat(stateDictPieces(all)))
        else await writeSafetensors(path, all)
        const flags = ['--expose-gc', '--input-type=module', '-e', script, root, own]
        const { stdout } = await promisify(execFile)(process.execPath, flags)
        const { size } = await stat(path)
        expect(size).toBeGreaterThan(80e6)
        expect(Number(stdout) / size, kind).toBeGreaterThan(1)
        expect(Number(stdout) / size, kind).toBeLessThan(1.2)
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  },
)

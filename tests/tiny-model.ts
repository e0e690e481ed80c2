/** A GPT-2 of one layer with random weights and toyworld's tokenizer: small enough to be written anew for each test. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Random } from '../core/random.ts'
import { tokenizerConfigJson, tokenizerJson, vocabulary } from '../datasets/toyworld/index.ts'
import { writeSafetensors } from '../engine/safetensors.ts'

const width = 8

export type TinyTensors = Record<string, { shape: number[]; data: Float32Array }>

/** Writes the model into `directory`; `change` may spoil its weights or config first. */
export async function writeTinyModel(
  directory: string,
  change: { config?: Record<string, unknown>; tensors?: (tensors: TinyTensors) => void } = {},
): Promise<void> {
  const random = new Random(1)
  const tensors: TinyTensors = {}
  const add = (name: string, ...shape: number[]) => {
    const size = shape.reduce((a, b) => a * b, 1)
    tensors[name] = { shape, data: Float32Array.from({ length: size }, () => random.normal() * 0.2) }
  }
  add('wte.weight', vocabulary.length, width)
  add('wpe.weight', 64, width)
  for (const norm of ['h.0.ln_1', 'h.0.ln_2', 'ln_f']) {
    add(`${norm}.weight`, width)
    add(`${norm}.bias`, width)
  }
  for (const [name, inputs, outputs] of [
    ['h.0.attn.c_attn', width, 3 * width],
    ['h.0.attn.c_proj', width, width],
    ['h.0.mlp.c_fc', width, 4 * width],
    ['h.0.mlp.c_proj', 4 * width, width],
  ] as const) {
    add(`${name}.weight`, inputs, outputs)
    add(`${name}.bias`, outputs)
  }
  change.tensors?.(tensors)
  const config = {
    model_type: 'gpt2',
    n_layer: 1,
    n_embd: width,
    n_head: 2,
    n_positions: 64,
    vocab_size: vocabulary.length,
    layer_norm_epsilon: 1e-5,
    activation_function: 'gelu_new',
    bos_token_id: 0,
    eos_token_id: 1,
    ...change.config,
  }
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config))
  writeFileSync(join(directory, 'tokenizer.json'), JSON.stringify(tokenizerJson()))
  writeFileSync(join(directory, 'tokenizer_config.json'), JSON.stringify(tokenizerConfigJson()))
  await writeSafetensors(join(directory, 'model.safetensors'), tensors)
}

import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startEngine } from '../engine/engine.ts'
import { openSafetensors, type TensorData, writeSafetensors } from '../engine/safetensors.ts'
import { type Tensor, type Tensor2D, tf } from '../engine/tf.ts'
import { type StateTensor, stateDictPieces } from '../engine/torch/writer.ts'
import { sharedData } from '../tests/shared-data.ts'
import { buildModel } from './build.ts'
import { loadModel } from './load.ts'
import type { Model } from './model.ts'
import { randomWeights, smallConfigs } from './random.fixture.ts'
import { checkTokenizer } from './tokenizer.ts'

let base = ''
let folder = ''
let number = 0
beforeAll(async () => {
  await startEngine()
  base = await mkdtemp(join(tmpdir(), 'model-'))
})
beforeEach(async () => {
  folder = join(base, String(number++))
  await mkdir(folder)
})
afterAll(() => rm(base, { recursive: true, force: true }))

type Weights = Record<string, TensorData>

/** A family's random weights as data. */
function dataOf(config: unknown): Weights {
  return tf.tidy(() =>
    Object.fromEntries(
      Object.entries(randomWeights(config)).map(([name, tensor]) => [
        name,
        { shape: tensor.shape, data: Float32Array.from(tensor.dataSync()) },
      ]),
    ),
  )
}
async function save(config: unknown, weights: Weights): Promise<void> {
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  await writeSafetensors(join(folder, 'model.safetensors'), weights)
}
/** The logits on three tokens; disposes the model. */
function logitsOf(model: Model): number[] {
  const logits = tf.tidy(() => [...model.run(tf.tensor2d([[1, 2, 3]], [1, 3], 'int32') as Tensor2D).dataSync()])
  model.dispose()
  return logits
}
const built = (config: unknown): number[] =>
  logitsOf(buildModel(config, randomWeights(config), { path: 'memory', hash: '' }))
const renamed = (weights: Weights, rename: (name: string) => string): Weights =>
  Object.fromEntries(Object.entries(weights).map(([name, data]) => [rename(name), data]))

const gpt2 = smallConfigs.gpt2!
const llama = smallConfigs.llama!

describe('a directory gives the model of its weights', () => {
  test('that PyTorch saved, whole or in shards', async () => {
    const weights = dataOf(gpt2)
    const saved = (some: Weights) => Buffer.concat(stateDictPieces(some as Record<string, StateTensor>))
    await writeFile(join(folder, 'config.json'), JSON.stringify(gpt2))
    await writeFile(join(folder, 'pytorch_model.bin'), saved(weights))
    const expected = built(gpt2)
    expect(logitsOf(await loadModel(folder))).toEqual(expected)
    await rm(join(folder, 'pytorch_model.bin'))
    const names = Object.keys(weights)
    const parts = [names.slice(0, 5), names.slice(5)]
    const map: Record<string, string> = {}
    for (const [i, part] of parts.entries()) {
      const file = `pytorch_model-0000${i + 1}-of-00002.bin`
      for (const name of part) map[name] = file
      await writeFile(join(folder, file), saved(Object.fromEntries(part.map(name => [name, weights[name]!]))))
    }
    await writeFile(join(folder, 'pytorch_model.bin.index.json'), JSON.stringify({ weight_map: map }))
    expect(logitsOf(await loadModel(folder))).toEqual(expected)
    const file = join(folder, map[names[0]!]!)
    const bytes = await readFile(file)
    await writeFile(file, bytes.subarray(0, bytes.length - 100))
    await expect(loadModel(folder)).rejects.toThrow(/00001-of-00002\.bin is not a whole zip archive/)
  })

  test('but not whole numbers that PyTorch saved, which are no weights', async () => {
    const weights = dataOf(gpt2)
    const [name] = Object.keys(weights)
    const { shape, data } = weights[name!]!
    const whole: Record<string, StateTensor> = {
      ...(weights as Record<string, StateTensor>),
      [name!]: { shape, data: Int32Array.from(data as Float32Array) },
    }
    await writeFile(join(folder, 'config.json'), JSON.stringify(gpt2))
    await writeFile(join(folder, 'pytorch_model.bin'), Buffer.concat(stateDictPieces(whole)))
    await expect(loadModel(folder)).rejects.toThrow(/is int32, but a weight is a floating-point number/)
  })

  test('whole', async () => {
    await save(gpt2, dataOf(gpt2))
    expect(logitsOf(await loadModel(folder))).toEqual(built(gpt2))
  })

  test('without the prefix that some files leave out', async () => {
    await save(
      gpt2,
      renamed(dataOf(gpt2), name => name.replace('transformer.', '')),
    )
    expect(logitsOf(await loadModel(folder))).toEqual(built(gpt2))
  })

  test('with the saved masks that are no weights', async () => {
    const mask = { shape: [1, 1, 16, 16], data: new Float32Array(256) }
    const scalar = { shape: [], data: Float32Array.of(-1e4) }
    await save(gpt2, {
      ...dataOf(gpt2),
      'transformer.h.0.attn.bias': mask,
      'transformer.h.1.attn.masked_bias': scalar,
    })
    expect(logitsOf(await loadModel(folder))).toEqual(built(gpt2))
  })

  test("tied, with the embedding under the head's name, or under both", async () => {
    const tied = { ...llama, tie_word_embeddings: true }
    const weights = dataOf(tied)
    await save(
      tied,
      renamed(weights, name => name.replace('model.embed_tokens.weight', 'lm_head.weight')),
    )
    expect(logitsOf(await loadModel(folder))).toEqual(built(tied))
    await save(tied, { ...weights, 'lm_head.weight': weights['model.embed_tokens.weight']! })
    expect(logitsOf(await loadModel(folder))).toEqual(built(tied))
  })

  test('untied, with a head of its own', async () => {
    const untied = { ...gpt2, tie_word_embeddings: false }
    await save(untied, dataOf(untied))
    const logits = logitsOf(await loadModel(folder))
    expect(logits).toEqual(built(untied))
    expect(logits).not.toEqual(built(gpt2))
  })

  test('tied, with another head in the file: that is the head', async () => {
    const tied = { ...llama, tie_word_embeddings: true }
    const own = dataOf(tied)
    const other = dataOf(llama)['lm_head.weight']!
    await save(tied, { ...own, 'lm_head.weight': other })
    const logits = logitsOf(await loadModel(folder))
    expect(logits).not.toEqual(built(tied))
    await save({ ...tied, tie_word_embeddings: false }, { ...own, 'lm_head.weight': other })
    expect(logitsOf(await loadModel(folder))).toEqual(logits)
  })

  test('of Gemma 3 with vision, by either beginning of its names, and without what sees', async () => {
    const gemma3 = smallConfigs.gemma3!
    const seeing = { shape: [2], data: Float32Array.of(1, 2) }
    const prefixes = ['language_model.model.', 'model.language_model.', 'model.']
    for (const prefix of prefixes) {
      const weights = renamed(dataOf(gemma3), name => name.replace('model.', prefix))
      await save(gemma3, { ...weights, 'vision_tower.a.weight': seeing, 'model.multi_modal_projector.b': seeing })
      expect(logitsOf(await loadModel(folder)), prefix).toEqual(built(gemma3))
    }
  })

  test('with a tensor that has no elements', async () => {
    await save(llama, { ...dataOf(llama), 'model.dummy': { shape: [0, 4], data: new Float32Array(0) } })
    expect(logitsOf(await loadModel(folder))).toEqual(built(llama))
  })

  test('in shards', async () => {
    await shards(llama, names => [names.slice(0, 5), names.slice(5)])
    expect(logitsOf(await loadModel(folder))).toEqual(built(llama))
  })

  test('by the path of its weights or of another config', async () => {
    await save(llama, dataOf(llama))
    const scaled = { ...llama, rope_parameters: { rope_type: 'linear', factor: 4, rope_theta: 10000 } }
    await writeFile(join(folder, 'config.other.json'), JSON.stringify(scaled))
    expect(logitsOf(await loadModel(join(folder, 'model.safetensors')))).toEqual(built(llama))
    expect(logitsOf(await loadModel(join(folder, 'config.other.json')))).toEqual(built(scaled))
    expect(built(scaled)).not.toEqual(built(llama))
  })

  test('with a hash of both', async () => {
    const hashes: string[] = []
    for (const config of [gpt2, gpt2, { ...gpt2, layer_norm_epsilon: 1e-6 }]) {
      await save(config, dataOf(gpt2))
      const model = await loadModel(folder)
      hashes.push(model.hash)
      model.dispose()
    }
    expect(hashes[1]).toBe(hashes[0])
    expect(hashes[2]).not.toBe(hashes[0])
  })
})

/** Saves random weights in shards with an index. */
async function shards(config: unknown, cut: (names: string[]) => string[][]): Promise<void> {
  const weights = dataOf(config)
  await writeFile(join(folder, 'config.json'), JSON.stringify(config))
  const weight_map: Record<string, string> = {}
  for (const [index, names] of cut(Object.keys(weights)).entries()) {
    const file = `model-${index}.safetensors`
    await writeSafetensors(join(folder, file), Object.fromEntries(names.map(name => [name, weights[name]!])))
    for (const name of names) weight_map[name] = file
  }
  await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata: {}, weight_map }))
}

describe('sizes that the weights cannot hold are refused at once', () => {
  const sizes: [string, object, RegExp][] = [
    ['gpt2', { n_layer: 3e9 }, /asks for a number of layers of 3000000000, but its weights hold 28 tensors/],
    ['gpt2', { n_embd: 2 ** 40 }, /asks for a width of 1099511627776/],
    ['gpt2', { n_positions: 2 ** 40 }, /asks for a number of positions of 1099511627776/],
    ['llama', { num_hidden_layers: 3e9 }, /a number of layers of 3000000000/],
    ['llama', { head_dim: 2 ** 33 }, /asks for a head size of 8589934592/],
    ['llama', { vocab_size: 2 ** 33 }, /asks for a vocabulary of 8589934592/],
    ['llama', { num_attention_heads: 2 ** 33, num_key_value_heads: 1 }, /a number of heads of 8589934592/],
    ['gpt_neox', { hidden_size: 2 ** 40 }, /asks for a width of 1099511627776/],
    ['gpt_neox', { intermediate_size: 2 ** 40 }, /asks for an MLP width of 1099511627776/],
  ]
  test.each(sizes)('%s %j', async (family, size, message) => {
    const config = smallConfigs[family]!
    await save({ ...config, ...size }, dataOf(config))
    await expect(loadModel(folder)).rejects.toThrow(message)
  })

  test('also where a tensor without elements has such a side', async () => {
    const none = { shape: [0, 2 ** 40], data: new Float32Array(0) }
    await save({ ...llama, vocab_size: 2 ** 33 }, { ...dataOf(llama), 'model.dummy': none })
    await expect(loadModel(folder)).rejects.toThrow(/asks for a vocabulary of 8589934592/)
  })

  test('a long context is no size', async () => {
    await save({ ...llama, max_position_embeddings: 2 ** 40 }, dataOf(llama))
    expect(logitsOf(await loadModel(folder))).toEqual(built(llama))
  })
})

describe('what does not fit is one sentence, and no tensor stays', () => {
  const refused = async (message: RegExp) => {
    const before = tf.memory().numTensors
    await expect(loadModel(folder)).rejects.toThrow(message)
    await expect(loadModel(folder)).rejects.toMatchObject({ exitCode: 1 })
    expect(tf.memory().numTensors).toBe(before)
  }

  test('no directory', () => expect(loadModel(join(folder, 'none'))).rejects.toThrow(/There is no model at/))
  test('no weights', async () => {
    await writeFile(join(folder, 'config.json'), JSON.stringify(gpt2))
    await refused(/has no weights: none of model\.safetensors, .*pytorch_model\.bin/)
  })
  test('no config', async () => {
    await writeSafetensors(join(folder, 'model.safetensors'), dataOf(gpt2))
    await refused(/There is no model config at/)
  })
  test('an unknown model_type, with the known ones', async () => {
    await save({ ...gpt2, model_type: 'mamba' }, {})
    await refused(/model_type "mamba" in .*config.json is not known/)
    await expect(loadModel(folder)).rejects.toMatchObject({
      fix: expect.stringContaining('gemma2, gemma3, gemma3_text, gpt2'),
    })
  })
  test('no model_type', async () => {
    await save({ n_embd: 8 }, {})
    await refused(/has no model_type/)
  })
  test('a config without a size', async () => {
    const { n_embd: _, ...rest } = gpt2
    await save(rest, {})
    await refused(/config.json needs the key n_embd/)
  })
  test('a head size that does not divide', async () => {
    await save({ ...gpt2, n_head: 3 }, {})
    await refused(/n_embd must be a multiple of n_head/)
  })
  test('query heads that do not divide among key heads', async () => {
    await save({ ...llama, num_key_value_heads: 3 }, {})
    await refused(/num_attention_heads must be a multiple of num_key_value_heads/)
  })
  test('an activation that is not known', async () => {
    await save({ ...llama, hidden_act: 'mish' }, {})
    await refused(/hidden_act is "mish": must be one of gelu/)
  })
  test('a rope type that is not known', async () => {
    await save({ ...llama, rope_scaling: { type: 'ntk', factor: 2 } }, dataOf(llama))
    await refused(/rope type "ntk"/)
  })
  test('a missing tensor', async () => {
    const { 'transformer.h.1.ln_2.bias': _, ...rest } = dataOf(gpt2)
    await save(gpt2, rest)
    await refused(/has no tensor transformer.h.1.ln_2.bias/)
  })
  test('a tensor of another shape', async () => {
    await save({ ...gpt2, n_inner: 20 }, dataOf(gpt2))
    await refused(/Tensor transformer.h.0.mlp.c_fc.weight of .* has shape \[8, 32\], but its config asks for \[8, 20\]/)
  })
  test('a tensor that the config has no place for', async () => {
    await save({ ...llama, attention_bias: false }, dataOf(llama))
    await refused(/has a tensor model.layers.0.self_attn.\w_proj.bias, for which its config has no place/)
  })
  test('integer weights', async () => {
    const weights = dataOf(gpt2)
    await save(gpt2, { ...weights, 'transformer.ln_f.bias': { shape: [8], data: new Int32Array(8) } })
    await refused(/transformer.ln_f.bias of .* is I32/)
  })
  test('truncated weights', async () => {
    await save(gpt2, dataOf(gpt2))
    const path = join(folder, 'model.safetensors')
    await writeFile(path, (await readFile(path)).subarray(0, -100))
    await refused(/cut short/)
  })
  test('weights that are a Git LFS pointer, or a config that is', async () => {
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:aaaa\nsize 12345\n'
    await save(gpt2, dataOf(gpt2))
    await writeFile(join(folder, 'model.safetensors'), pointer)
    await refused(/model.safetensors is a Git LFS pointer, not the file of 12345 bytes it stands for/)
    await expect(loadModel(folder)).rejects.toMatchObject({ fix: expect.stringContaining('git lfs pull') })
    await writeFile(join(folder, 'config.json'), pointer)
    await refused(/config.json is a Git LFS pointer/)
  })
  test('weights that are a link to what is gone', async () => {
    await save(gpt2, dataOf(gpt2))
    await rm(join(folder, 'model.safetensors'))
    await symlink('../blobs/abc', join(folder, 'model.safetensors'))
    await refused(/model.safetensors is a link to ..\/blobs\/abc, and nothing is there/)
  })
  test('a shard that is missing', async () => {
    await shards(llama, names => [names.slice(0, 5), names.slice(5)])
    await rm(join(folder, 'model-1.safetensors'))
    await refused(/There is no safetensors file at .*model-1.safetensors/)
  })
  test('a shard without what the index says', async () => {
    await shards(llama, names => [names.slice(0, 5), names.slice(5)])
    await copyFile(join(folder, 'model-1.safetensors'), join(folder, 'model-0.safetensors'))
    await refused(/index .* says model-0.safetensors has tensor .*, but it has not/)
  })
  test('an index that leaves the directory', async () => {
    await writeFile(join(folder, 'config.json'), JSON.stringify(llama))
    const index = { weight_map: { a: '../../x.safetensors' } }
    await writeFile(join(folder, 'model.safetensors.index.json'), JSON.stringify(index))
    await refused(/names a file elsewhere/)
  })
  test('a tensor in two shards', async () => {
    await shards(llama, names => [names.slice(0, 5), names.slice(4)])
    await refused(/is both in/)
  })
})

test('a tokenizer with more tokens than the model is refused, one with fewer is not', () => {
  const model = { config: { vocabulary: 11 } as Model['config'], path: 'm' }
  expect(() => checkTokenizer(model, { vocabulary: 12 })).toThrow(
    'The tokenizer has 12 tokens, but the model m has only 11.',
  )
  checkTokenizer(model, { vocabulary: 11 })
  checkTokenizer(model, { vocabulary: 5 })
})

test('variables as weights are read at each run', () => {
  const before = tf.memory().numTensors
  const config = smallConfigs.gpt2!
  const weights: Record<string, Tensor> = {}
  for (const [name, tensor] of Object.entries(randomWeights(config))) {
    weights[name] = tf.variable(tensor)
    tensor.dispose()
  }
  const model = buildModel(config, weights, { path: 'training', hash: '' })
  const tokens = tf.tensor2d([[1, 2]], [1, 2], 'int32') as Tensor2D
  const sum = () => tf.tidy(() => model.run(tokens).abs().sum().dataSync()[0]!)
  const first = sum()
  const embedding = weights['transformer.wte.weight'] as import('@tensorflow/tfjs').Variable
  const zeros = tf.zerosLike(embedding)
  embedding.assign(zeros)
  zeros.dispose()
  expect(first).toBeGreaterThan(0)
  expect(sum()).toBe(0)
  tf.dispose([tokens, weights])
  expect(tf.memory().numTensors).toBe(before)
})

describe('tinystories-656k', () => {
  const path = sharedData('models', 'tinystories-656k')
  test.skipIf(!path)("reads bf16 weights under their own names as the float32 ones under the head's", async () => {
    const file = await openSafetensors(join(path!, 'model.bf16.safetensors'))
    expect(file.dtype('model.embed_tokens.weight')).toBe('BF16')
    await file.close()
    const half = logitsOf(await loadModel(join(path!, 'model.bf16.safetensors')))
    const full = logitsOf(await loadModel(path!))
    // The float32 file holds the same bf16 values.
    expect(half).toEqual(full)
  })
})

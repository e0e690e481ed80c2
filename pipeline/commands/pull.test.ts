import { expect, test } from 'vitest'
import { isRead } from './pull.ts'

const beside = ['config.json', 'tokenizer.json', 'vocab.json', 'merges.txt']
const others = ['README.md', 'flax_model.msgpack', 'onnx/model.onnx', 'onnx/config.json', 'original/model.safetensors']

test.each([
  [['model.safetensors'], ['pytorch_model.bin', 'model.fp32.safetensors']],
  [
    ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors', 'model.safetensors.index.json'],
    ['consolidated.safetensors', 'pytorch_model-00001-of-00002.bin'],
  ],
  [['weights.safetensors'], ['pytorch_model.bin']],
  [['pytorch_model.bin'], ['rust_model.ot', 'training_args.bin']],
  [['pytorch_model-00001-of-00001.bin', 'pytorch_model.bin.index.json'], []],
])('of a model with %j these weights are pulled, and not again in other forms', (wanted, left) => {
  const all = [...beside, ...others, ...wanted, ...left]
  expect(all.filter(path => isRead(path, all))).toEqual([...beside, ...wanted])
})

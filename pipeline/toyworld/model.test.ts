import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readJson } from '../../core/files.ts'
import { loadTokenizer } from '../../datasets/tokenizer/index.ts'
import { tokenizerJson, toyworldDocuments, toyworldModelDirectory } from '../../datasets/toyworld/index.ts'
import { startEngine } from '../../engine/engine.ts'
import { tf } from '../../engine/tf.ts'
import { loadModel } from '../../model/load.ts'
import type { Model } from '../../model/model.ts'
import { evaluationSeed } from './batches.ts'
import { modelConfig } from './initial.ts'
import { type Figures, measure } from './measure.ts'

let model: Model
let figures: Figures
let tensorsLeft: number

beforeAll(async () => {
  await startEngine()
  model = await loadModel(toyworldModelDirectory())
  const before = tf.memory().numTensors
  figures = measure(model, { everyFact: 11, prompts: 144, documents: 200 })
  tensorsLeft = tf.memory().numTensors - before
})
afterAll(() => model?.dispose())

describe('the committed model', () => {
  test('is a GPT-2 of about a million parameters in at most 5 MB', async () => {
    const { size } = await stat(join(toyworldModelDirectory(), 'model.safetensors'))
    expect(size).toBeLessThanOrEqual(5e6)
    expect(await readJson(join(toyworldModelDirectory(), 'config.json'))).toEqual(modelConfig)
  })

  test('has the tokenizer that the generator has today', async () => {
    expect(await readJson(join(toyworldModelDirectory(), 'tokenizer.json'))).toEqual(tokenizerJson())
    const tokenizer = await loadTokenizer(toyworldModelDirectory())
    for (const { text, tokens } of toyworldDocuments({ seed: evaluationSeed, documents: 20 }))
      expect(await tokenizer.encode(text!)).toEqual(tokens)
  })

  test('knows the facts, in every language and paraphrase', () => {
    expect(figures.facts.prompts).toBeGreaterThan(1000)
    expect(figures.facts.right).toBeGreaterThanOrEqual(0.98)
    expect(figures.facts.worst.right).toBeGreaterThanOrEqual(0.8)
  })

  test('knows who receives, and whether she or he', () => {
    expect(figures.indirectObject.right).toBeGreaterThanOrEqual(0.95)
    expect(figures.pronouns.right).toBeGreaterThanOrEqual(0.97)
  })

  test('copies sequences near the floor of nothing lost', () => {
    expect(figures.induction.right).toBeGreaterThanOrEqual(0.97)
    expect(figures.documents.inductionLoss).toBeLessThanOrEqual(0.05)
  })

  test("comes close to the language's entropy, and not below it by more than chance", () => {
    const excess = figures.documents.loss - figures.documents.entropy
    expect(excess).toBeLessThanOrEqual(0.06)
    expect(excess).toBeGreaterThan(-0.03)
  })
})

test('measuring leaves no tensors behind', () => {
  expect(tensorsLeft).toBe(0)
})

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { parseConfig } from '../core/config.ts'
import { silent } from '../core/progress.ts'
import { DatasetConfig, openDataset } from './dataset.ts'
import type { Document } from './document.ts'
import { SkipLog } from './sources/skipped.ts'
import { tokenise } from './tokenise.ts'
import { loadTokenizer, TextRefused, type Tokenizer } from './tokenizer/index.ts'
import { bosToken, tokenizerJson } from './toyworld/index.ts'

/** A token a character; every batch takes less time than the one before. */
function slow(encode: (texts: readonly string[], call: number) => void): Tokenizer & { most: number } {
  let [calls, running] = [0, 0]
  const tokenizer = {
    ...{ vocabulary: 1000, hash: '', bosToken: null, eosToken: null, padToken: null, atOnce: 3, most: 0 },
    async encodeAll(texts: readonly string[]) {
      const call = calls++
      running++
      tokenizer.most = Math.max(tokenizer.most, running)
      await sleep(Math.max(0, 40 - 10 * call))
      running--
      encode(texts, call)
      return texts.map(text => Int32Array.from(text, c => c.charCodeAt(0)))
    },
    encode: async () => new Int32Array(),
    decode: async () => '',
    token: String,
  }
  return tokenizer
}

async function run(tokenizer: Tokenizer) {
  let [read, ahead] = [0, 0]
  const found: string[] = []
  async function* documents(): AsyncGenerator<Document> {
    for (let i = 0; i < 5000; i++) {
      read++
      yield { id: `d${i}`, text: String(i), strata: {} }
    }
  }
  const skipped = new SkipLog()
  for await (const { document, tokens } of tokenise(documents(), tokenizer, {
    ...{ bos: null, path: 'text', skipped, progress: silent },
  })) {
    ahead = Math.max(ahead, read - found.length)
    found.push(`${document.id} ${String.fromCharCode(...tokens)}`)
  }
  return { found, ahead, skipped: skipped.counts }
}

test('documents come in order, whichever batch is done first, and only a few batches are read ahead', async () => {
  const tokenizer = slow(() => {})
  const { found, ahead } = await run(tokenizer)
  expect(found).toEqual(Array.from({ length: 5000 }, (_, i) => `d${i} ${i}`))
  expect(tokenizer.most).toBe(3)
  expect(ahead).toBeLessThanOrEqual(4 * 512)
})

test('a text that is refused in a batch ahead is left out alone; what else goes wrong there is the error', async () => {
  const refusing = slow(texts => {
    const text = texts.indexOf('1500')
    if (text >= 0) throw new TextRefused(text, 'too hard')
  })
  const { found, skipped } = await run(refusing)
  expect(found).toHaveLength(4999)
  expect(found[1500]).toBe('d1501 1501')
  expect(skipped).toEqual([{ reason: 'a text that the tokenizer refuses', count: 1 }])
  const broken = slow((_, call) => {
    if (call === 2) throw new Error('batch three')
  })
  await expect(run(broken)).rejects.toThrow('batch three')
})

test('any number of threads gives the same dataset, and its config does not name them', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'threads-'))
  try {
    await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tokenizerJson()))
    const lines = Array.from({ length: 1500 }, (_, i) => JSON.stringify({ text: `the cat ${i} the dog`, id: `d${i}` }))
    const path = join(folder, 'text.jsonl')
    await writeFile(path, lines.join('\n'))
    const found = []
    for (const tokenizerThreads of [undefined, 0, 1, 2, 4]) {
      const tokenizer = await loadTokenizer(folder, { threads: tokenizerThreads })
      const config = parseConfig(
        DatasetConfig,
        { path, ...(tokenizerThreads !== undefined && { tokenizerThreads }) },
        'd',
      )
      found.push(await openDataset(config, tokenizer, { context: 16, bosToken }))
    }
    expect(found[0]!.windows.length).toBeGreaterThan(1000)
    for (const dataset of found) expect(dataset).toEqual(found[0])
  } finally {
    await rm(folder, { recursive: true })
  }
})

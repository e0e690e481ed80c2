import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readCaptureManifest } from '../../datasets/shards/index.ts'
import { columnsOfSite, writeMadeCapture } from '../../datasets/shards/made.fixture.ts'
import { captureHtml } from './capture.ts'

test('packed files without checksums are named, and nothing is said where there are none', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'pipeline-report-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  await writeMadeCapture(directory, [columnsOfSite('site', 2, new Float32Array(8), 'float32')], { batchRows: 4 })
  const manifest = await readCaptureManifest(directory)
  expect(captureHtml(manifest)).not.toContain('checksum')
  const dataset = { ...manifest.dataset, unchecked: ['a & b.jsonl.zst', 'old/c.txt.zst'] }
  expect(captureHtml({ ...manifest, dataset })).toContain('may not have been seen: a &#38; b.jsonl.zst, old/c.txt.zst.')
})

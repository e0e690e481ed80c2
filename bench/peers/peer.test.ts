import { describe, expect, test } from 'vitest'
import { peerBounds, startPeer } from './peer.ts'

describe('a peer', () => {
  test('is bound to the instruction set that is forced on us', () => {
    expect(peerBounds(null)).toEqual({})
    expect(peerBounds('avx2')).toEqual({
      ONEDNN_MAX_CPU_ISA: 'AVX2',
      DNNL_MAX_CPU_ISA: 'AVX2',
      ATEN_CPU_CAPABILITY: 'avx2',
      MKL_ENABLE_INSTRUCTIONS: 'AVX2',
    })
  })

  test('that cannot be started is told in a sentence', async () => {
    await expect(startPeer('/nowhere/python', 'capture.py', 'tensorflow')).rejects.toThrow(
      'The peer capture.py does not run with /nowhere/python: spawn /nowhere/python ENOENT.',
    )
    await expect(startPeer(process.execPath, 'capture.py', 'tensorflow')).rejects.toThrow(
      'The peer capture.py does not run with',
    )
  })
})

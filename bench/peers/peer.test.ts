import { describe, expect, test } from 'vitest'
import { checkPeerNames } from './compare.ts'
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

  test('that is named without a Python to start it is refused', () => {
    expect(() => checkPeerNames({ peerNames: ['sparsify'] })).toThrow('no Python is given to start them with')
    expect(() => checkPeerNames({ peers: 'python3', peerNames: ['sparsify'] })).not.toThrow()
    expect(() => checkPeerNames({})).not.toThrow()
  })

  test('that cannot be started is told in a sentence', async () => {
    await expect(startPeer('/nowhere/python', 'capture_transformers.py', 'tensorflow')).rejects.toThrow(
      'The peer capture_transformers.py does not run with /nowhere/python: spawn /nowhere/python ENOENT.',
    )
    await expect(startPeer(process.execPath, 'capture_transformers.py', 'tensorflow')).rejects.toThrow(
      'The peer capture_transformers.py does not run with',
    )
  })
})

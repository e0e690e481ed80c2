/**
 * How fast activations come out of a host model: GPT-2-small shapes with random weights, the residual stream after block 6,
 * 16 windows of 128 tokens. Each precision with and without the custom ops, as tokens a second and as a share of what
 * TensorFlow's own matrix products of the same sizes reach in that process.
 */
import { z } from 'zod'
import { defineBench, flags, type Teller } from './options.ts'
import { capturePeers, checkPeerNames, peerFlags, startPeers, tellPeers } from './peers/compare.ts'
import { machine, startWorker, timeInTurns, type Worker } from './workers.ts'

const Config = z.strictObject({
  ...flags,
  ...peerFlags(capturePeers, 'a forward pass in float32'),
})

export default defineBench({
  about:
    'How fast activations come out of a host model of the shapes of GPT-2 small, with and without the custom ops, and what share that is of TensorFlow’s matrix products.',
  examples: ['npm run bench -- capture', 'npm run bench -- capture --precisions float32 --rounds 3 --json'],
  config: Config,
  engine: 'tensorflow',
  run: measure,
})

async function measure(config: z.output<typeof Config>, tell: Teller): Promise<void> {
  const { rounds, engine, precisions } = config
  checkPeerNames(config)
  const cases = precisions.flatMap(precision => waysOf(engine).map(ops => ({ precision, ops })))
  const module = new URL('./capture-worker.ts', import.meta.url)
  const workers: Worker[] = []
  try {
    for (const { precision, ops } of cases)
      workers.push(await startWorker(module, { BENCH_ENGINE: engine, BENCH_PRECISION: precision, PIPELINE_OPS: ops }))
    const others = await startPeers(config, capturePeers, engine)
    workers.push(...others)
    const timings = await timeInTurns(workers, rounds)
    for (const worker of workers) await worker.facts()
    tell.line(machine())
    tell.line(`GPT-2-small shapes, residual after block 6, 16 × 128 tokens, median of ${rounds}`)
    tell.line(
      'precision  ops    tokens/s  to plain  a core-second  to plain  GFLOP/s  TensorFlow matmul GFLOP/s  share',
    )
    for (const [i, { precision, ops }] of cases.entries()) {
      const { tokens, gigaflop, matmul, instructions, reads, ownOps } = (await workers[i]!.facts()) as Record<
        string,
        number
      >
      const { seconds, processorSeconds } = timings[i]!
      const plain = timings[ops === 'on' ? i - 1 : i]!
      const figures = {
        tokensPerSecond: tokens! / seconds,
        toPlain: plain.seconds / seconds,
        tokensPerCoreSecond: tokens! / processorSeconds,
        coreSecondsToPlain: plain.processorSeconds / processorSeconds,
        gigaflopsPerSecond: gigaflop! / seconds,
        matmulGigaflopsPerSecond: matmul!,
        shareOfMatmul: gigaflop! / seconds / matmul!,
        readsAStep: reads!,
        ownOpsAStep: ownOps!,
      }
      tell.result({
        benchmark: 'capture',
        engine,
        precision,
        ops: ops === 'on' ? instructions : 'plain',
        rounds,
        ...figures,
      })
      tell.line(
        [
          precision.padEnd(9),
          String(ops === 'on' ? instructions : 'plain').padEnd(6),
          figures.tokensPerSecond.toFixed(0).padStart(8),
          figures.toPlain.toFixed(2).padStart(8),
          figures.tokensPerCoreSecond.toFixed(0).padStart(13),
          figures.coreSecondsToPlain.toFixed(2).padStart(8),
          figures.gigaflopsPerSecond.toFixed(0).padStart(7),
          figures.matmulGigaflopsPerSecond.toFixed(0).padStart(25),
          `${(100 * figures.shareOfMatmul).toFixed(0)} %`.padStart(6),
        ].join('  '),
      )
    }
    if (engine === 'tensorflow-gpu') {
      const { reads, bytes, ownOps } = await workers[0]!.facts()
      tell.line(`A forward pass reads ${reads} tensors (${bytes} bytes) back and calls ${ownOps} custom ops`)
    }
    const compared = cases.map(({ precision, ops }, i) => ({
      name: `${precision}, ${ops === 'on' ? 'with ops' : 'plain'}`,
      timing: timings[i]!,
    }))
    await tellPeers('capture', others, timings.slice(cases.length), 16 * 128, compared, tell)
  } finally {
    for (const worker of workers) worker.stop()
  }
}

/** With the custom ops and without; on a GPU there are none, and a forward pass must call none and read nothing. */
function waysOf(engine: string): readonly ('off' | 'on')[] {
  return engine === 'tensorflow-gpu' ? ['off'] : ['off', 'on']
}

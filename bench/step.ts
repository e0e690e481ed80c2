/**
 * Where the time of a training step goes: the parts of a TopK step in float32 (width 768, 16,384 latents, k 32, 4096 rows), one by one in
 * one process at the instruction set in use (`PIPELINE_ISA` forces one). What waits for memory is held against a sum of two arrays in the
 * same turns: the bytes that a part must move at least, over its processor time.
 */
import { z } from 'zod'
import { Random } from '../core/random.ts'
import { startEngine } from '../engine/engine.ts'
import { opInstructions } from '../engine/ops/native.ts'
import { addBias } from '../engine/ops/norm.ts'
import { sparseDecodeBack } from '../engine/ops/sae/decode.ts'
import { topKEncode } from '../engine/ops/sae/encode.ts'
import { type Screened, shareInQuestion } from '../engine/ops/sae/screening.ts'
import { own, ownZeros, sparseUpdate, type UpdateRule } from '../engine/ops/sae/update.ts'
import { type Tensor, type Tensor1D, type Tensor2D, tf } from '../engine/tf.ts'
import { defineBench, flags, type Teller } from './options.ts'
import { batchesOf } from './rows.ts'
import { machine } from './workers.ts'

const [rows, width, latents, k] = [4096, 768, 16_384, 32]

const Config = z.strictObject({ rounds: flags.rounds })

export default defineBench({
  about:
    'Where the time of a TopK training step in float32 goes: each part in turns, and the share of the memory bandwidth that it reaches.',
  examples: ['npm run bench -- step', 'PIPELINE_ISA=avx2 npm run bench -- step --rounds 15 --json'],
  config: Config,
  engine: 'tensorflow',
  run: measure,
})

/** A part of a step. */
interface Part {
  readonly name: string
  /** Bytes that it must read and write at least; null for what does not wait for memory. */
  readonly bytes: number | null
  run(): void
}

/** Bytes of the rows of a weight that the chosen latents of all rows name. */
const gathered = 4 * rows * k * width
const oneMatrix = 4 * latents * width
const batch = 4 * rows * width

const rule: UpdateRule = {
  ...{ optimiser: 'adam', rate: 1e-5, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, count: 100 },
  ...{ project: true, unit: true, centred: true },
}

async function measure({ rounds }: z.output<typeof Config>, tell: Teller): Promise<void> {
  await startEngine({ engine: 'tensorflow' })
  const random = new Random(1, 'step')
  const directions = tf.tidy(() => {
    const free = tf.tensor2d(random.normals(latents * width), [latents, width])
    return free.div<Tensor2D>(free.norm('euclidean', 1, true))
  })
  const slot = (weight: Tensor) => ({
    weight: own(weight),
    first: ownZeros(weight.shape),
    second: ownZeros(weight.shape),
  })
  const [noLatents, noOutputs]: Tensor[] = [tf.zeros([latents]), tf.zeros([width])]
  const weights = {
    ...{ wEnc: slot(directions), wDec: slot(directions) },
    ...{ bEnc: slot(noLatents!), bDec: slot(noOutputs!) },
  }
  const [x] = batchesOf(directions, { rows, k, batches: 1 }) as [Tensor2D]
  const [wEnc, wDec] = [weights.wEnc.weight as Tensor2D, weights.wDec.weight as Tensor2D]
  const scale = tf.tensor1d([1e-6])
  const options = { k, bias: weights.bEnc.weight as Tensor1D, layout: 'out-in' } as const
  let told: Screened | undefined
  const chosen = topKEncode(x, wEnc, { ...options, screened: report => (told = report) })
  const share = told && shareInQuestion(told, rows, latents)
  const back = sparseDecodeBack(x, chosen, wDec, null, scale)
  const gradient = { ...chosen, dz: back.dz, g: back.g }
  const arrays = [1, 2].map(seed => tf.randomNormal([16_384, 1024], 0, 1, 'float32', seed)) as [Tensor, Tensor]
  const parts: Part[] = [
    { name: 'a sum of two arrays', bytes: 3 * 4 * arrays[0].size, run: () => addBias(...arrays, null).dispose() },
    {
      name: 'encode, dense',
      bytes: null,
      run: () => tf.dispose(Object.values(topKEncode(x, wEnc, { ...options, screening: 'off' }))),
    },
    { name: 'encode, screened', bytes: null, run: () => tf.dispose(Object.values(topKEncode(x, wEnc, options))) },
    {
      name: 'decode and back',
      // Each chosen row of the decoder, the target, and the gradient of the reconstruction.
      bytes: gathered + 2 * batch,
      run: () => tf.dispose(Object.values(sparseDecodeBack(x, chosen, wDec, null, scale))),
    },
    {
      name: 'gradients and Adam',
      // For each entry a row of x and one of the gradient; two weights and their moments read and written.
      bytes: 2 * gathered + 2 * 6 * oneMatrix,
      run: () => tf.dispose(Object.values(sparseUpdate(weights, x, gradient, undefined, rule))),
    },
  ]
  const seconds = best(parts, rounds)
  const rateOf = (i: number) => {
    const { bytes } = parts[i]!
    return bytes === null ? null : bytes / seconds[i]!.core / 1e9
  }
  const memory = rateOf(0)!
  tell.line(machine())
  tell.line(
    `TopK in float32, ${opInstructions()}: width ${width}, ${latents} latents, k ${k}, ${rows} rows; best of ${rounds}`,
  )
  if (share !== undefined) tell.line(`screening left ${(100 * share).toFixed(2)} % in question`)
  tell.line(
    'GB/s are those a core; "to memory" is how many times as long the part takes as a sum of two arrays of its bytes.',
  )
  tell.line('part                      ms  core ms     GB   GB/s  to memory')
  for (const [i, { name, bytes }] of parts.entries()) {
    const { clock, core } = seconds[i]!
    const rate = rateOf(i)
    const toMemory = rate === null ? null : memory / rate
    tell.result({
      ...{ benchmark: 'step', isa: opInstructions(), part: name, rounds, seconds: clock, coreSeconds: core },
      ...{ bytes, gigabytesPerCoreSecond: rate, toMemory },
      inQuestion: share ?? null,
    })
    tell.line(
      [
        name.padEnd(20),
        (1000 * clock).toFixed(1).padStart(7),
        (1000 * core).toFixed(1).padStart(7),
        (bytes === null ? '' : (bytes / 1e9).toFixed(2)).padStart(5),
        (rate === null ? '' : rate.toFixed(1)).padStart(5),
        (toMemory === null ? '' : toMemory.toFixed(2)).padStart(9),
      ]
        .join('  ')
        .trimEnd(),
    )
  }
  const slots = Object.values(weights).flatMap(each => Object.values(each))
  tf.dispose([
    ...arrays,
    directions,
    noLatents!,
    noOutputs!,
    x,
    scale,
    ...Object.values(gradient),
    back.errors,
    ...slots,
  ])
}

/** The least seconds of each part, by the clock and of processors, over rounds in which they take turns; a first round warms up. */
function best(parts: readonly Part[], rounds: number): { clock: number; core: number }[] {
  const least = parts.map(() => ({ clock: Number.POSITIVE_INFINITY, core: Number.POSITIVE_INFINITY }))
  for (let round = 0; round <= rounds; round++) {
    for (const [i, { run }] of parts.entries()) {
      const used = process.cpuUsage()
      const start = performance.now()
      run()
      const clock = (performance.now() - start) / 1000
      const { user, system } = process.cpuUsage(used)
      if (round === 0) continue
      const each = least[i]!
      each.clock = Math.min(each.clock, clock)
      each.core = Math.min(each.core, (user + system) / 1e6)
    }
  }
  return least
}

/**
 * The ops on arm64, where no machine of that kind is at hand: compiled by Debian's cross compiler (`g++-aarch64-linux-gnu`) and
 * run under `qemu-user`. Calls are recorded while the ops run here, then made again there.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Random } from '../../core/random.ts'
import { tensorflowRoot } from '../../engine/install/places.ts'
import { attention } from '../../engine/ops/attention.ts'
import { cleanPass, editedPass, type PassBlocks } from '../../engine/ops/edited-pass.ts'
import { gelu } from '../../engine/ops/gelu.ts'
import { linear } from '../../engine/ops/linear.ts'
import { logitChanges } from '../../engine/ops/logit-changes.ts'
import { availableInstructions, hostFunction, setOpInstructions } from '../../engine/ops/native.ts'
import { addBias, addNorm, norm } from '../../engine/ops/norm.ts'
import { sparseDecode } from '../../engine/ops/sae/decode.ts'
import { topKEncode } from '../../engine/ops/sae/encode.ts'
import { rowNorms } from '../../engine/ops/sae/rows.ts'
import { siluMul } from '../../engine/ops/silu.ts'
import { opsTestable, startOps } from '../../engine/ops/testing.ts'
import { Sampler } from '../../engine/ops/truth/sample.ts'
import { type Tensor, type Tensor2D, type Tensor3D, tf } from '../../engine/tf.ts'
import { architectureOf } from '../../sae/architectures/index.ts'
import { fusedStepper } from '../../sae/step/fused/index.ts'
import type { StepSettings } from '../../sae/step/step.ts'
import { TrainingSettings } from '../../sae/training/settings.ts'
import {
  type Answer,
  buildForArm,
  type Call,
  emulate,
  emulateHost,
  type HostArray,
  type HostCall,
  missingPrograms,
  opsOf,
  type Plain,
} from './emulate.ts'
import { references } from './reference.ts'

interface Recorded extends Call {
  readonly answer: Answer
}

const missing = process.env.PIPELINE_LONG && opsTestable ? await missingPrograms() : []
if (missing.length > 0) console.warn(`The ops are not tried on arm64: ${missing.join(' and ')} are not installed.`)

let seed = 1
const normal = (...shape: number[]): Tensor => tf.randomNormal(shape, 0, 1, 'float32', seed++)

/** Runs `work` and returns every call of an op in it, with what it gave here. */
function record(work: () => void): Recorded[] {
  const calls: Recorded[] = []
  const backend = tf.backend() as unknown as {
    executeMultipleOutputs(
      name: string,
      attributes: { name: string; value: number }[],
      inputs: Tensor[],
      outputs: number,
    ): Tensor[]
  }
  const execute = backend.executeMultipleOutputs
  const plain = (tensor: Tensor): Plain => ({
    shape: tensor.shape,
    data: tensor.dataSync().slice() as Float32Array | Int32Array,
  })
  backend.executeMultipleOutputs = function (name, attributes, inputs, outputs) {
    if (!name.startsWith('Pipeline')) return execute.call(this, name, attributes, inputs, outputs)
    const before = inputs.map(plain)
    const made = execute.call(this, name, attributes, inputs, outputs)
    const values = Object.fromEntries(attributes.map(({ name, value }) => [name, value]))
    const answer = { outputs: made.map(plain), inputs: inputs.map(plain) }
    calls.push({ name, attributes: values, inputs: before, outputs, answer })
    return made
  }
  try {
    tf.tidy(work)
  } finally {
    backend.executeMultipleOutputs = execute
  }
  return calls
}

/** The ops of a forward pass, at sizes with and without edges. */
function forward(): void {
  for (const [rows, inputs, outputs] of [
    [1, 1, 1],
    [1, 70, 37],
    [3, 70, 37],
    [4, 66, 64],
    [5, 7, 3],
    [33, 65, 31],
    [200, 1100, 50],
  ] as const) {
    const [x, weight, bias] = [normal(rows, inputs), normal(inputs, outputs), normal(outputs)]
    linear(x, weight, { layout: 'in-out', bias, gelu: 'erf' })
    linear(x, weight, { layout: 'in-out', gelu: 'tanh' })
    linear(x, weight.transpose(), { layout: 'out-in', bias, residual: normal(rows, outputs) })
  }
  for (const kind of ['layer', 'rms'] as const) {
    norm(normal(7, 65), { kind, epsilon: 1e-5, gain: normal(65), bias: normal(65) })
    addNorm(normal(3, 16), normal(3, 16), normal(16), { kind, epsilon: 1e-5 })
  }
  addBias(normal(5, 19), normal(5, 19), normal(19))
  for (const form of ['erf', 'tanh'] as const) gelu(normal(9, 37).mul(4), normal(37), form)
  siluMul(normal(9, 37), normal(9, 37))
  for (const [window, cap] of [
    [null, null],
    [5, 3],
  ] as const) {
    const rows = normal(2, 150, 5 * 24) as Tensor3D
    const part = (offset: number) => ({ rows, offset })
    attention(part(0), part(72), part(96), { heads: 3, kvHeads: 1, headDim: 24, scale: 0.2, window, cap })
  }
  const [x, weight] = [normal(40, 33) as Tensor2D, normal(33, 500) as Tensor2D]
  const latents = topKEncode(x, weight, { k: 7, bias: normal(500).reshape([500]), layout: 'in-out' })
  sparseDecode(latents, normal(500, 33) as Tensor2D, normal(33).reshape([33]))
  rowNorms(weight, 2)
}

/** Edits of a document through two blocks, and what they do to its predictions. */
function edit(): void {
  const [width, hidden, positions, heads, kvHeads, headDim] = [20, 35, 11, 4, 2, 6]
  const layer = (inputs: number, outputs: number) => ({
    weight: normal(outputs, inputs).mul<Tensor2D>(inputs ** -0.5),
    bias: normal(outputs),
  })
  const own = () => ({ gain: normal(width), bias: normal(width) })
  const block = () => ({
    ...{
      before: own(),
      middle: own(),
      scale: 0.4,
      q: layer(width, heads * headDim),
      k: layer(width, kvHeads * headDim),
    },
    ...{ v: layer(width, kvHeads * headDim), out: layer(heads * headDim, width), gate: layer(width, hidden) },
    ...{ up: layer(width, hidden), down: layer(hidden, width) },
  })
  const blocks: PassBlocks = {
    ...{ blocks: [block(), block()], last: own(), norm: { kind: 'rms', epsilon: 1e-6 }, layout: 'out-in' },
    ...{ activation: 'silu', heads, kvHeads, headDim, rotary: { size: headDim, pairs: 'halves' } },
  }
  const angles = normal(positions, headDim)
  const document = { x: normal(positions, width) as Tensor2D, rotation: { cos: angles.cos(), sin: angles.sin() } }
  const changed = editedPass(
    blocks,
    { ...document, ...cleanPass(blocks, document) },
    {
      bank: normal(3, width) as Tensor2D,
      entries: Int32Array.of(0, 1, 4, 0, 6, 2),
      changes: Float32Array.of(1, -0.5, 2),
      starts: Int32Array.of(0, 1, 3),
      reads: Int32Array.of(0, 3, 10, 4, 7),
      readStarts: Int32Array.of(0, 3, 5),
    },
  )
  logitChanges(changed, {
    ...{ weight: normal(45, width) as Tensor2D, scale: 0.3 },
    probabilities: normal(positions, 45).softmax() as Tensor2D,
    ...{ positions: Int32Array.of(0, 3, 10, 4, 7), next: Int32Array.of(1, 44, -1, 3, 7) },
  })
}

const sparse: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  jumprelu: { threshold: Math.log(2) },
  gated: { bGate: -2 },
  standard: { bEnc: -2 },
}

/** Two training steps of an architecture. */
function train(name: string): void {
  const architecture = architectureOf(name)
  const own = architecture.config.parse('k' in architecture.config.shape ? { k: 6 } : {}) as Record<string, unknown>
  const settings = {
    ...TrainingSettings.parse({ ...architecture.training, learningRate: 1e-3, decoderNorm: 'unit' }),
    deadAfterTokens: 2 ** 30,
  } as unknown as StepSettings
  const shape = { width: 37, outputs: 37, latents: 150, sites: 1 }
  const params = architecture.init(shape, own, new Random(1))
  // Few latents above zero, or a step of the ReLU family would be the plain one.
  for (const [key, value] of Object.entries(sparse[name] ?? {})) params[key] = tf.fill(params[key]!.shape, value)
  const Fused = fusedStepper(architecture, own, settings)!
  const stepper = new Fused({ architecture, own, settings, shape, params, total: 100, variance: 37 })
  const input = normal(64, 37) as Tensor2D
  for (let i = 0; i < 2; i++) stepper.take({ input, target: input }, { measure: true })
}

/** A sample of known features. */
function sample(): void {
  const random = new Random(1, 'tables')
  const [features, width] = [60, 19]
  const sampler = new Sampler({
    ...{ features, width, rank: 2, roots: 60, nested: 60, branching: 3 },
    firstChild: new Int32Array(features).fill(-1),
    directions: random.normals(features * width),
    bias: random.normals(width),
    factor: random.normals(features * 2, 0.3),
    cut: new Float32Array(features).fill(1),
    mean: new Float32Array(features).fill(2),
    deviation: new Float32Array(features).fill(1),
  })
  sampler.draw([11, 12], 5, 40)
}

/** Largest difference, as a share of the largest expected value where that is more than 1. */
function difference(found: Plain, expected: ArrayLike<number>): number {
  expect(found.data.length).toBe(expected.length)
  let [most, size] = [0, 1]
  for (let i = 0; i < expected.length; i++) {
    const gap = Math.abs(found.data[i]! - expected[i]!)
    if (!(gap <= most)) most = gap
    size = Math.max(size, Math.abs(expected[i]!))
  }
  return most / size
}

describe.skipIf(!process.env.PIPELINE_LONG || !opsTestable || missing.length > 0)('on arm64, under an emulator', () => {
  let folder = ''
  let program = ''
  const calls: Recorded[] = []
  let answers: Answer[] = []

  beforeAll(async () => {
    await startOps()
    folder = await mkdtemp(join(tmpdir(), 'neon-'))
    program = await buildForArm(folder, join(tensorflowRoot('cpu'), 'include'))
    setOpInstructions(availableInstructions().includes('avx2') ? 'avx2' : availableInstructions()[0]!)
    calls.push(...record(forward), ...record(edit), ...record(sample))
    for (const name of ['topk', 'batchtopk', 'matryoshka', 'jumprelu', 'gated', 'standard'])
      calls.push(...record(() => train(name)))
    answers = await emulate(program, calls)
  }, 900_000)
  afterAll(() => rm(folder, { recursive: true, force: true }))

  test('every op and every function on arrays that is compiled there is called', async () => {
    const called = new Set([...calls, ...hostCalls()].map(({ name }) => name))
    const without = (await opsOf(program)).filter(name => !called.has(name))
    // Packs for products of bfloat16 values, which arm64 has no kernels for.
    expect(without).toEqual(['PipelinePackEncoder'])
  })

  test('outputs, and what is changed in place, are those of this machine but for rounding', () => {
    for (const [i, { name, answer }] of calls.entries())
      for (const [there, here] of [
        ...pairs(answers[i]!.outputs, answer.outputs),
        ...pairs(answers[i]!.inputs, answer.inputs),
      ])
        expect(difference(there, here.data), `${name}, call ${i}`).toBeLessThan(2e-5)
  })

  test('functions on arrays give the same bytes as on this machine, NaN wherever it has one', async () => {
    const there = await emulateHost(program, hostCalls())
    for (const [i, { name, given }] of hostCalls().entries()) {
      hostFunction(name)!(...given)
      const arrays = given.filter(value => typeof value !== 'number')
      expect(there[i]!.length).toBe(arrays.length)
      for (const [j, array] of arrays.entries())
        expect(withoutNaN(there[i]![j]!, array), `${name}, array ${j}`).toEqual(
          withoutNaN(Buffer.from(array.buffer), array),
        )
    }
  })

  test('the main ops agree with float64', () => {
    const tried = new Set<string>()
    for (const [i, call] of calls.entries()) {
      const reference = references[call.name]
      if (!reference || (call.name === 'PipelineTopKEncode' && !isSimple(call))) continue
      tried.add(call.name)
      expect(difference(answers[i]!.outputs[0]!, reference(call)), `${call.name}, call ${i}`).toBeLessThan(3e-6)
    }
    expect([...tried].sort()).toEqual(Object.keys(references).sort())
  })
})

/** The bytes, of numbers of the kind in `like`, with one and the same for what is none: its sign and what it carries are the processor's. */
function withoutNaN(bytes: Buffer, like: HostArray): Buffer {
  const own = Uint8Array.from(bytes).buffer
  if (like instanceof Float32Array || like instanceof Float64Array) {
    const numbers = like instanceof Float32Array ? new Float32Array(own) : new Float64Array(own)
    for (let i = 0; i < numbers.length; i++) if (Number.isNaN(numbers[i])) numbers[i] = -12_345
  }
  return Buffer.from(own)
}

/** Functions on arrays, at sizes that are no multiple of a vector, with numbers too small to be normal and none. */
function hostCalls(): HostCall[] {
  const random = new Random('host')
  const [rows, width] = [67, 37]
  const values = random.normals(rows * width, 3)
  values.set([2 ** -149, 1e-30, 6e-8, 65_519, 65_520, Number.POSITIVE_INFINITY, -0, Number.NaN])
  const weight = Float32Array.from({ length: rows }, () => 1 / random.uniform())
  const doubles = (count: number) => new Float64Array(count)
  const halves = Uint16Array.from({ length: 65_536 }, (_, i) => i)
  const stored = values.map(value => Math.fround(value * (1 + 2 ** -12)))
  return [
    { name: 'rowSums', given: [values, weight, doubles(width), doubles(width), doubles(rows)] },
    {
      name: 'deviations',
      given: [values, random.normals(width).reduce((all, x, i) => all.fill(x, i), doubles(width)), doubles(width)],
    },
    { name: 'toHalves', given: [values, new Uint16Array(values.length)] },
    { name: 'fromHalves', given: [halves, new Float32Array(halves.length)] },
    { name: 'rounding', given: [values, stored, doubles(width), doubles(width), doubles(width)] },
    { name: 'gatherRows', given: [values, width, Uint32Array.of(3, 66, 0, 3), new Float32Array(4 * width)] },
    { name: 'placeColumns', given: [values, width, new Float32Array(rows * 50), 50, 9] },
    { name: 'shuffleWords', given: [Uint32Array.from({ length: 1000 }, (_, i) => i), Uint32Array.of(1, 2, 3, 4)] },
  ]
}

const pairs = (a: readonly Plain[], b: readonly Plain[]) => a.map((one, i) => [one, b[i]!] as const)

/** A top-k by the values themselves, above zero. */
const isSimple = ({ inputs }: Call) => inputs[4]!.data.length === 0 && inputs[5]!.data[0] === 0

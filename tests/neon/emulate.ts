/** The ops and the functions on arrays compiled for arm64 and run under an emulator: building the program, and giving it calls. */
import { execFile, spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pLimit from 'p-limit'

const run = promisify(execFile)
const native = fileURLToPath(new URL('../../engine/native', import.meta.url))
const own = fileURLToPath(new URL('.', import.meta.url))
const compiler = 'aarch64-linux-gnu-g++'
const emulator = 'qemu-aarch64'

/** A tensor as the program takes and gives it. */
export interface Plain {
  readonly shape: readonly number[]
  readonly data: Float32Array | Int32Array
}

/** A call of an op as it was made. */
export interface Call {
  readonly name: string
  readonly attributes: Readonly<Record<string, number | boolean>>
  readonly inputs: readonly Plain[]
  readonly outputs: number
}

/** What came of a call: its outputs, and its inputs afterwards, which some ops change. */
export interface Answer {
  readonly outputs: readonly Plain[]
  readonly inputs: readonly Plain[]
}

/** A call of a function on arrays (`engine/native/host.h`), which changes those that are for its results. */
export interface HostCall {
  readonly name: string
  readonly given: readonly (HostArray | number)[]
}

export type HostArray = Float32Array | Float64Array | Uint16Array | Uint32Array

/** Types of arrays as N-API counts them. */
const arrayTypes = [Uint16Array, Uint32Array, Float32Array, Float64Array] as const
const arrayNumbers = [4, 6, 7, 8]

/** What of the two programs this needs is not installed; empty when nothing is. */
export async function missingPrograms(): Promise<string[]> {
  const there = await Promise.all(
    [compiler, emulator].map(name =>
      run(name, ['--version']).then(
        () => true,
        () => false,
      ),
    ),
  )
  return [compiler, emulator].filter((_, i) => !there[i])
}

/** Compiles the ops and `runtime.cc` for arm64 into `folder`; returns the program. TensorFlow's headers are in `includes`. */
export async function buildForArm(folder: string, includes: string): Promise<string> {
  const flags = ['-std=c++17', '-O2', '-ffp-contract=fast', '-fno-math-errno', '-fno-trapping-math', '-Wno-psabi']
  const limit = pLimit(2)
  const headers = createRequire(import.meta.url)('node-api-headers').include_dir as string
  const paths = [native, own, includes, headers].map(path => `-I${path}`)
  // segments.cc reads files on Node's threads, and computes nothing.
  const left = ['addon.cc', 'segments.cc']
  const sources = readdirSync(native).filter(name => name.endsWith('.cc') && !left.includes(name))
  const objects = await Promise.all(
    [...sources.map(name => join(native, name)), join(own, 'runtime.cc'), join(own, 'host.cc')].map((source, i) =>
      limit(async () => {
        const object = join(folder, `${i}.o`)
        await run(compiler, [...flags, '-DIS_SLIM_BUILD', '-DNAPI_VERSION=8', ...paths, '-c', source, '-o', object])
        return object
      }),
    ),
  )
  const program = join(folder, 'ops')
  await run(compiler, [...objects, '-static', '-pthread', '-o', program])
  return program
}

/** Names of the ops and of the functions on arrays that the program has. */
export async function opsOf(program: string): Promise<string[]> {
  return (await talk(program, [Buffer.from('list\n')])).toString().split('\n').filter(Boolean)
}

/** Runs calls one after the other and returns what each gave. */
export async function emulate(program: string, calls: readonly Call[]): Promise<Answer[]> {
  const input = calls.flatMap(({ name, attributes, inputs, outputs }) => [
    Buffer.from(`op ${name}\n`),
    ...Object.entries(attributes).map(([key, value]) => Buffer.from(`attr ${key} ${Number(value)}\n`)),
    ...inputs.flatMap(({ shape, data }) => [
      Buffer.from(`in ${data instanceof Float32Array ? 'f' : 'i'} ${shape.length} ${shape.join(' ')}\n`),
      Buffer.from(data.slice().buffer),
    ]),
    Buffer.from(`run ${outputs}\n`),
  ])
  const answer = new Answers(await talk(program, input))
  return calls.map(({ name, outputs }) => {
    const tensors: Plain[] = []
    for (let text = answer.line(); text !== 'done'; text = answer.line()) {
      if (!text.startsWith('out ')) throw new Error(`${name}: ${text}`)
      const [, type, , ...shape] = text.split(' ')
      const sizes = shape.map(Number)
      const own = Uint8Array.from(answer.bytes(4 * sizes.reduce((a, b) => a * b, 1))).buffer
      tensors.push({ shape: sizes, data: type === 'f' ? new Float32Array(own) : new Int32Array(own) })
    }
    return { outputs: tensors.slice(0, outputs), inputs: tensors.slice(outputs) }
  })
}

/** Runs functions on arrays one after the other and returns the arrays of each as they are then, as bytes. */
export async function emulateHost(program: string, calls: readonly HostCall[]): Promise<Buffer[][]> {
  const input = calls.flatMap(({ name, given }) => [
    Buffer.from(`host ${name}\n`),
    ...given.flatMap(value => {
      if (typeof value === 'number') return [Buffer.from(`number ${value}\n`)]
      const type = arrayNumbers[arrayTypes.findIndex(Type => value instanceof Type)]
      const bytes = Buffer.from(value.slice().buffer)
      return [Buffer.from(`array ${type} ${value.length} ${bytes.length}\n`), bytes]
    }),
    Buffer.from('call\n'),
  ])
  const answer = new Answers(await talk(program, input))
  return calls.map(({ name }) => {
    const arrays: Buffer[] = []
    for (let text = answer.line(); text !== 'done'; text = answer.line()) {
      if (!text.startsWith('array ')) throw new Error(`${name}: ${text}`)
      arrays.push(answer.bytes(Number(text.split(' ')[1])))
    }
    return arrays
  })
}

/** Lines and bytes of what the program wrote, in order. */
class Answers {
  readonly all: Buffer
  #at = 0

  constructor(all: Buffer) {
    this.all = all
  }

  line(): string {
    const end = this.all.indexOf(10, this.#at)
    const text = this.all.toString('utf8', this.#at, end)
    this.#at = end + 1
    return text
  }

  bytes(count: number): Buffer {
    this.#at += count
    return this.all.subarray(this.#at - count, this.#at)
  }
}

/** What the program answers to all of its input. */
function talk(program: string, input: readonly Buffer[]): Promise<Buffer> {
  return new Promise((done, fail) => {
    const child = spawn(emulator, [program], { stdio: ['pipe', 'pipe', 'inherit'] })
    const parts: Buffer[] = []
    child.stdout.on('data', part => parts.push(part))
    child.on('error', fail)
    child.on('close', code =>
      code === 0 ? done(Buffer.concat(parts)) : fail(new Error(`It ended with code ${code}.`)),
    )
    child.stdin.end(Buffer.concat(input))
  })
}

/** Other programs as cases of a benchmark: Python scripts beside this file, which take turns with ours in one run. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { UserError } from '../../core/errors.ts'
import { forcedInstructionSet, type InstructionSet, oneDnnBound } from '../../engine/isa.ts'
import type { EngineChoice } from '../../engine/settings.ts'
import type { Timing, Worker } from '../workers.ts'

/** What PyTorch's own kernels and Intel's library of products call the same bound as a forced instruction set. */
const bounds: Readonly<Partial<Record<InstructionSet, readonly [aten: string, mkl: string]>>> = {
  plain: ['default', 'SSE4_2'],
  avx2: ['avx2', 'AVX2'],
  avxvnni: ['avx2', 'AVX2'],
  avx512: ['avx512', 'AVX512'],
  avx512vnni: ['avx512', 'AVX512'],
  avx512bf16: ['avx512', 'AVX512'],
}

/** The environment that binds PyTorch to the instruction set that `PIPELINE_ISA` forces; empty where it forces none. */
export function peerBounds(set: InstructionSet | null): Record<string, string> {
  if (!set) return {}
  const [bound, own] = [oneDnnBound(set), bounds[set]]
  return {
    ...(bound ? { ONEDNN_MAX_CPU_ISA: bound, DNNL_MAX_CPU_ISA: bound } : {}),
    ...(own ? { ATEN_CPU_CAPABILITY: own[0], MKL_ENABLE_INSTRUCTIONS: own[1] } : {}),
  }
}

/**
 * Starts a script of this folder, on the GPU where the engine is there, with a Python that has what it imports, and waits until it is ready. Its facts are its
 * name and versions. Throws a `UserError` where it cannot be started.
 */
export async function startPeer(python: string, script: string, engine: EngineChoice): Promise<Worker> {
  const path = fileURLToPath(new URL(script, import.meta.url))
  const child = spawn(python, [path, String(availableParallelism()), engine === 'tensorflow-gpu' ? 'cuda' : 'cpu'], {
    env: { ...process.env, ...peerBounds(forcedInstructionSet()) },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let complaint = ''
  child.stderr.on('data', part => {
    complaint = (complaint + part).slice(-2000)
  })
  const ended = once(child, 'close').then(
    () => complaint.trim().split('\n').at(-1) || 'it ended without a word',
    (error: Error) => error.message,
  )
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async (): Promise<unknown> => {
    const next = await lines.next()
    if (!next.done) return JSON.parse(next.value)
    throw new UserError(`The peer ${script} does not run with ${python}: ${await ended}.`, {
      fix: 'Give --peers a Python that has what bench/peers/README.md lists, or leave it out.',
    })
  }
  const facts = (await answer()) as Awaited<ReturnType<Worker['facts']>>
  return {
    facts: async () => facts,
    time: async () => {
      child.stdin.write('run\n')
      return (await answer()) as Timing
    },
    stop: () => child.stdin.end(),
  }
}

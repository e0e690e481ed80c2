/** What `pipeline doctor` finds, as a plain object, and as a page for people. */
import { wrap } from '../../core/text.ts'
import type { Engine } from '../engine.ts'
import type { InstructionSet } from '../isa.ts'
import type { EngineChoice } from '../settings.ts'

/** A TensorFlow build on this machine. */
export interface InstalledBuild {
  readonly root: string
  readonly installed: boolean
  /** Files that it was made from. */
  readonly sources: readonly string[]
}

/** NVIDIA's part of the machine, as far as it can be seen. */
export interface GpuReport {
  /** Version of the driver; null without one. */
  readonly driver: string | null
  /** Names of the devices, with memory, as `nvidia-smi` gives them. */
  readonly devices: readonly string[]
  /** Whether `libcuda.so.1`, which comes with the driver, can be loaded. */
  readonly libcuda: boolean
  /** CUDA libraries that TensorFlow needs, and whether each can be loaded. */
  readonly libraries: Readonly<Record<string, boolean>>
  /** What is missing for `tensorflow-gpu`, a sentence each; empty when nothing is. */
  readonly missing: readonly string[]
}

/** A place on disk. */
export interface DiskReport {
  readonly what: string
  readonly path: string
  /** Free bytes for this user; null where it cannot be found out. */
  readonly free: number | null
}

/** All that `pipeline doctor` finds. */
export interface DoctorReport {
  readonly schema: 1
  readonly choice: EngineChoice
  /** The engine that runs, tried in a process of its own; null when none does. */
  readonly engine: Engine | null
  /** Why none runs. */
  readonly problem: string | null
  readonly fix: string | null
  /** The instruction set that the custom ops use, or `none` where they are not loaded. */
  readonly opInstructions: string
  readonly builds: { readonly cpu: InstalledBuild; readonly cuda: InstalledBuild }
  readonly machine: {
    readonly system: string
    readonly processor: string
    readonly processors: number
    readonly instructions: readonly string[]
    /** Those of them that the custom ops tell apart: the names that `PIPELINE_ISA` takes. */
    readonly instructionSets: readonly InstructionSet[]
    /** Bytes. */
    readonly memory: number
    /** Bytes that can be had without swapping. */
    readonly freeMemory: number
  }
  readonly disks: readonly DiskReport[]
  readonly gpu: GpuReport
  readonly node: string
}

const LABEL = 13

/** The report as lines of at most `width` columns; paths longer than that stand whole on a line of their own. */
export function formatReport(report: DoctorReport, width = 80): string {
  const { engine, machine } = report
  const lines: string[] = []
  const line = (label: string, text: string) => lines.push(...labelled(label, text, width))
  if (engine) {
    line('engine', `${engine.name} ${engine.version}, because ${engine.reason}`)
    line('precision', engine.precision)
    line('threads', String(engine.threads))
    line('custom ops', engine.nativeOps ? `loaded, with ${report.opInstructions} instructions` : 'not loaded')
    if (engine.isa) line('forced', `${engine.isa}, by PIPELINE_ISA, for TensorFlow’s products too`)
    if (engine.notice) line('mind', engine.notice)
  } else {
    line('engine', `none: ${report.problem ?? 'it did not start'}`)
    if (report.fix) line('fix', report.fix)
  }
  for (const [name, build] of Object.entries(report.builds))
    line(name === 'cpu' ? 'TensorFlow' : 'with CUDA', build.installed ? build.root : 'not installed')
  line('processor', `${machine.processors} × ${machine.processor}`)
  line('instructions', machine.instructions.join(', ') || 'none that are known')
  line('PIPELINE_ISA', `may be ${machine.instructionSets.join(', ') || 'nothing here'}`)
  line('memory', `${gigabytes(machine.memory)}, ${gigabytes(machine.freeMemory)} free`)
  for (const { what, path, free } of report.disks)
    line(what, `${path}, ${free === null ? 'not there' : `${gigabytes(free)} free`}`)
  for (const [label, text] of gpuLines(report)) line(label, text)
  line('Node', `${report.node} on ${machine.system}`)
  return lines.join('\n')
}

/** All of it where a GPU was asked for or leaves any trace; else that there is none. */
function gpuLines({ choice, builds, gpu }: DoctorReport): [label: string, text: string][] {
  const libraries = Object.values(gpu.libraries)
  const found = libraries.filter(Boolean).length
  const traces = gpu.driver !== null || gpu.libcuda || gpu.devices.length > 0 || builds.cuda.installed
  if (!traces && choice !== 'tensorflow-gpu') return [['GPU', 'none found: no NVIDIA driver, no CUDA build']]
  return [
    ['GPU', gpu.devices.join(', ') || 'no device found'],
    ['driver', gpu.driver ?? 'none'],
    ['libcuda', gpu.libcuda ? 'can be loaded' : 'cannot be loaded'],
    ['CUDA', `${found} of ${libraries.length} libraries can be loaded`],
    ...gpu.missing.map((sentence): [string, string] => ['GPU lacks', sentence]),
  ]
}

const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`

function labelled(label: string, text: string, width: number): string[] {
  return wrap(text, width - LABEL).map((part, i) => `${(i === 0 ? label : '').padEnd(LABEL)}${part}`)
}

/** Examining the machine: which engine runs and why, and what the work will have to live with. */
import { existsSync } from 'node:fs'
import { readFile, statfs } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { arch, availableParallelism, freemem, platform, totalmem } from 'node:os'
import { dirname, extname, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { messageOf } from '../../core/errors.ts'
import { readInstallManifest } from '../install/install.ts'
import { cacheDirectory, isInstalled, tensorflowRoot, type Variant } from '../install/places.ts'
import { run } from '../install/run.ts'
import { instructionSetsOf, processorFlags } from '../isa.ts'
import { type EngineChoice, resolveSettings } from '../settings.ts'
import { examineGpu } from './gpu.ts'
import type { Probe } from './probe.ts'
import { instructionsIn, processorName } from './processor.ts'
import type { DiskReport, DoctorReport, InstalledBuild } from './report.ts'

/** What to look at. */
export interface ExamineOptions {
  /** Default: `auto`. */
  readonly engine?: EngineChoice
  /** Where runs are kept. */
  readonly runs?: string
}

/** Examines the machine and tries the engine; changes nothing. */
export async function examine(options: ExamineOptions = {}): Promise<DoctorReport> {
  const { engine: choice } = resolveSettings(options.engine ? { engine: options.engine } : {})
  const cuda = await examineBuild('cuda')
  const flags = processorFlags()
  return {
    schema: 1,
    choice,
    ...(await tryEngine(choice)),
    builds: { cpu: await examineBuild('cpu'), cuda },
    machine: {
      system: `${platform()} ${arch()}`,
      processor: processorName(),
      processors: availableParallelism(),
      instructions: instructionsIn(flags),
      instructionSets: instructionSetsOf(flags),
      memory: totalmem(),
      freeMemory: await availableMemory(),
    },
    disks: [await examineDisk('cache', cacheDirectory()), await examineDisk('runs', resolve(options.runs ?? 'runs'))],
    gpu: await examineGpu(cuda.root, cuda.installed),
    node: process.versions.node,
  }
}

async function tryEngine(choice: EngineChoice): Promise<Probe> {
  const self = fileURLToPath(import.meta.url)
  const script = resolve(dirname(self), `probe${extname(self)}`)
  try {
    const text = await run(process.execPath, [...loader(script), script], { env: { PIPELINE_PROBE: choice } })
    return JSON.parse(text) as Probe
  } catch (error) {
    return {
      engine: null,
      problem: `The engine ended its process: ${messageOf(error)}.`,
      fix: 'Choose --engine wasm.',
      opInstructions: 'none',
    }
  }
}

/** What Node needs to run the sources as they are. */
function loader(script: string): string[] {
  return script.endsWith('.ts') ? ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href] : []
}

async function examineBuild(variant: Variant): Promise<InstalledBuild> {
  const root = tensorflowRoot(variant)
  return { root, installed: isInstalled(root), sources: (await readInstallManifest(root))?.sources ?? [] }
}

/** Free space at a path, or at the nearest folder above it that is there. */
async function examineDisk(what: string, path: string): Promise<DiskReport> {
  let there = path
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there)
  const free = await statfs(there).then(
    ({ bavail, bsize }) => bavail * bsize,
    () => null,
  )
  return { what, path, free }
}

/** Linux counts what its caches would give back; elsewhere only what is unused is known. */
async function availableMemory(): Promise<number> {
  const text = await readFile('/proc/meminfo', 'utf8').catch(() => '')
  const kilobytes = /^MemAvailable:\s+(\d+) kB/m.exec(text)?.[1]
  return kilobytes === undefined ? freemem() : Number(kilobytes) * 1024
}

/** This package's version, and the facts about the machine that manifests record. */
import { existsSync, readFileSync } from 'node:fs'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of this package's package.json: one folder up from the sources, two from the build. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder)
    if (parent === folder) throw new Error('This package has lost its package.json.')
    folder = parent
  }
  return folder
}

/** Version of this package, as in package.json. */
export function packageVersion(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string }).version
}

/** What a manifest says about the machine: enough to explain a difference in speed or rounding, and no more. */
export function machineFacts(): Record<string, unknown> {
  const processors = cpus()
  return {
    platform: platform(),
    release: release(),
    arch: arch(),
    processor: processors[0]?.model.trim() ?? 'unknown',
    processors: processors.length,
    memoryBytes: totalmem(),
  }
}

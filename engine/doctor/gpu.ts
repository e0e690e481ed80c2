/** NVIDIA's driver, devices and libraries: what `tensorflow-gpu` would find. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { nvidiaDriver } from '../engine.ts'
import type { GpuReport } from './report.ts'

/** What TensorFlow's CUDA 12 build loads by name, with the folder of NVIDIA's wheel that brings it. */
const LIBRARIES: Readonly<Record<string, string>> = {
  'libcudart.so.12': 'cuda_runtime',
  'libcublas.so.12': 'cublas',
  'libcublasLt.so.12': 'cublas',
  'libcudnn.so.9': 'cudnn',
  'libcufft.so.11': 'cufft',
  'libcusolver.so.11': 'cusolver',
  'libcusparse.so.12': 'cusparse',
  'libnccl.so.2': 'nccl',
  'libcupti.so.12': 'cuda_cupti',
}

/** The first driver that runs CUDA 12 programs. */
const LEAST_DRIVER = 525

/** Looks for all that `tensorflow-gpu` needs; `root` is where its build is or would be installed. */
export async function examineGpu(root: string, installed: boolean): Promise<GpuReport> {
  const driver = driverIn(await readFile(nvidiaDriver, 'utf8').catch(() => ''))
  const devices = await listDevices()
  const libcuda = canLoad('libcuda.so.1')
  const libraries = Object.fromEntries(
    Object.entries(LIBRARIES).map(([name, folder]) => {
      const own = join(root, 'nvidia', folder, 'lib', name)
      return [name, canLoad(existsSync(own) ? own : name)]
    }),
  )
  return { driver, devices, libcuda, libraries, missing: missing({ driver, devices, libcuda, libraries }, installed) }
}

/** The version in the text of `/proc/driver/nvidia/version`; null where there is none. */
export function driverIn(text: string): string | null {
  return /Kernel Module.*?\s(\d+(?:\.\d+)+)\s/.exec(text)?.[1] ?? null
}

/** What is missing, a sentence each. */
export function missing(found: Omit<GpuReport, 'missing'>, installed: boolean): string[] {
  const sentences: string[] = []
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return ['The CUDA build of TensorFlow is made for Linux on x64 alone.']
  if (!found.driver)
    sentences.push(`No NVIDIA driver is loaded (there is no ${nvidiaDriver}): install the driver of your system.`)
  else if (Number.parseInt(found.driver, 10) < LEAST_DRIVER)
    sentences.push(`The driver is ${found.driver}, but CUDA 12 needs ${LEAST_DRIVER} or newer.`)
  if (!found.libcuda)
    sentences.push(
      'The library libcuda.so.1, which comes with the driver, cannot be loaded; in a container it is the host that gives it.',
    )
  if (found.driver && found.devices.length === 0) sentences.push('nvidia-smi lists no device.')
  if (!installed)
    sentences.push(
      'The CUDA build is not installed: `pipeline doctor --install --engine tensorflow-gpu` (9 GB of disk).',
    )
  else {
    const lost = Object.keys(found.libraries).filter(name => !found.libraries[name])
    if (lost.length > 0) sentences.push(`The CUDA build is installed, but ${lost.join(', ')} cannot be loaded.`)
  }
  return sentences
}

async function listDevices(): Promise<string[]> {
  const query = ['--query-gpu=name,memory.total', '--format=csv,noheader']
  const { stdout } = await promisify(execFile)('nvidia-smi', query, { timeout: 20_000 }).catch(() => ({ stdout: '' }))
  return stdout.split('\n').flatMap(line => (line.trim() === '' ? [] : [line.trim()]))
}

/** Loads a library to see whether it can be; Node then complains that it is no addon, and that is well. */
function canLoad(library: string): boolean {
  try {
    process.dlopen({ exports: {} }, library, constants.dlopen.RTLD_LAZY)
    return true
  } catch (error) {
    return error instanceof Error && /self-register/.test(error.message)
  }
}

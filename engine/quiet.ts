/**
 * TensorFlow greets on standard error while it loads. The greetings are dropped; all else it says there is passed on.
 * Only loading is watched: what a library writes later goes straight to the terminal, and so does a crash at any time.
 */
import { createRequire } from 'node:module'
import { quietPath } from './install/places.ts'

/** The addon `install/quiet.cc`. */
interface Quiet {
  begin(): void
  end(): string
}

/** Runs `work` with the greetings of the library that it loads held back; without the addon, only runs it. `gpu`: one was asked for. */
export async function quietly<T>(root: string, gpu: boolean, work: () => Promise<T>): Promise<T> {
  const quiet = loadQuiet(root)
  if (!quiet) return work()
  quiet.begin()
  try {
    return await work()
  } finally {
    process.stderr.write(withoutGreetings(quiet.end(), gpu))
  }
}

/** The lines that are neither informational nor among the warnings that a start of TensorFlow always gives. */
export function withoutGreetings(text: string, gpu: boolean): string {
  const greetings = gpu ? GREETINGS : [...GREETINGS, ...NO_GPU]
  return text
    .split(/(?<=\n)/)
    .filter(line => !greetings.some(greeting => greeting.test(line)))
    .join('')
}

const GREETINGS = [
  /^I\d{4} [\d:. ]+\S+:\d+\] /,
  /^\d{4}-\d\d-\d\d [\d:.]+: I \S+:\d+\] /,
  /^WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR/,
  /^To enable the following instructions: /,
  /Unable to register cu\w+ (factory|computation placer)/,
]

/** What the CUDA build says on a machine without a GPU, where none was asked for. */
const NO_GPU = [/failed call to cuInit/]

function loadQuiet(root: string): Quiet | undefined {
  try {
    return createRequire(import.meta.url)(quietPath(root)) as Quiet
  } catch {
    return undefined
  }
}

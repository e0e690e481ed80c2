/** The two addons that the engine needs besides the custom ops, compiled with nothing but g++ and Node's headers. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { messageOf, UserError } from '../../core/errors.ts'
import { hashPath, sha256 } from '../../core/hash.ts'
import { tfjsRequire } from '../tf.ts'
import { bindingPath, LIBRARIES, quietPath } from './places.ts'
import { ProgramError, run } from './run.ts'

/** An addon to compile. */
interface Addon {
  readonly what: string
  readonly sources: readonly string[]
  readonly flags: readonly string[]
  readonly output: string
}

const COMMON = ['-std=c++17', '-O2', '-shared', '-fPIC', '-DNAPI_VERSION=8']
const NODE_SYMBOLS = process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup'] : []
const OWN_FOLDER = process.platform === 'darwin' ? '-Wl,-rpath,@loader_path' : '-Wl,-rpath,$ORIGIN'

/** tfjs's binding between Node and TensorFlow, from the sources in its npm package. */
function binding(root: string, folder: string): Addon {
  return {
    what: "tfjs's binding",
    sources: [join(folder, 'tfjs_backend.cc'), join(folder, 'tfjs_binding.cc')],
    flags: [`-I${join(root, 'include')}`, ...LIBRARIES.map(name => join(root, 'lib', name)), OWN_FOLDER],
    output: bindingPath(root),
  }
}

/** The addon that keeps TensorFlow's greetings off the terminal. */
function quiet(root: string): Addon {
  return { what: 'an addon', sources: [quietSource], flags: [], output: quietPath(root) }
}

const quietSource = fileURLToPath(new URL('quiet.cc', import.meta.url))

/** What the compiled addons depend on: when it changes they are compiled again. */
export async function addonsHash(): Promise<string> {
  return sha256([COMMON.join(' '), await hashPath(bindingFolder()), await hashPath(quietSource)].join('\n'))
}

/** Compiles both addons into a root, each whole or absent. */
export async function compileAddons(root: string): Promise<void> {
  const folder = bindingFolder()
  if (!(await readdir(folder)).includes('tfjs_binding.cc'))
    throw new UserError(`${folder} holds no sources of tfjs's binding.`, { fix: 'Install the npm packages again.' })
  await compile(binding(root, folder))
  await compile(quiet(root))
}

function bindingFolder(): string {
  return join(dirname(tfjsRequire().resolve('@tensorflow/tfjs-node-gpu/package.json')), 'binding')
}

const compilerName = () => process.env.CXX || 'g++'

/** Throws a `UserError` where there is no compiler. */
export async function findCompiler(): Promise<void> {
  try {
    await run(compilerName(), ['--version'])
  } catch (error) {
    if (error instanceof ProgramError && error.missing) throw noCompiler(error)
    throw new UserError(`\`${compilerName()} --version\` fails: ${messageOf(error)}.`, {
      fix: 'Name a C++ compiler in CXX, or leave CXX out for g++.',
      cause: error,
    })
  }
}

const noCompiler = (cause: unknown) =>
  new UserError(`TensorFlow's binding must be compiled, but there is no ${compilerName()}.`, {
    fix: 'Install g++ (Debian, Ubuntu: apt install g++), or name another compiler in CXX.',
    cause,
  })

async function compile({ what, sources, flags, output }: Addon): Promise<void> {
  const compiler = compilerName()
  const headers = createRequire(import.meta.url)('node-api-headers').include_dir as string
  const temporary = `${output}.partial`
  if (!existsSync(dirname(output))) await mkdir(dirname(output), { recursive: true })
  try {
    await run(compiler, [...COMMON, `-I${headers}`, ...sources, ...flags, ...NODE_SYMBOLS, '-o', temporary])
    await rename(temporary, output)
  } catch (error) {
    await rm(temporary, { force: true })
    if (error instanceof ProgramError && error.missing) throw noCompiler(error)
    throw new UserError(`${compiler} could not compile ${what}: ${messageOf(error)}.`, {
      fix: 'g++ 9 or newer is needed.',
      cause: error,
    })
  }
}

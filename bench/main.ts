/** `npm run bench -- NAME [--flag …]`: benchmarks that give ratios measured in one run, and the machine they ran on. */
import { fileURLToPath } from 'node:url'
import { UserError } from '../core/errors.ts'
import { nearest } from '../core/nearest.ts'
import { silent } from '../core/progress.ts'
import { visibleJson } from '../core/visible.ts'
import { decideEngine } from '../engine/engine.ts'
import { resolveSettings } from '../engine/settings.ts'
import { readCommand, TextAsked } from '../pipeline/command.ts'
import { helpText } from '../pipeline/help.ts'
import { complain, print } from '../pipeline/main.ts'
import { benches } from './index.ts'
import type { Bench, Teller } from './options.ts'

const program = 'npm run bench --'

/** Runs the benchmark that the arguments name, and gives the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  const json = args.includes('--json')
  const [name, ...rest] = args
  const width = process.stdout.columns ?? Number(process.env.COLUMNS || 80)
  try {
    if (name === undefined || ['-h', '--help', 'help'].includes(name)) throw new TextAsked(overview(width))
    if (!Object.hasOwn(benches, name)) throw unknownBench(name)
    const bench = (await benches[name]!.load()).default
    const footer = 'Under --json each case is an object on a line of its own, as soon as it is measured.'
    const run = async (config: Parameters<Bench['run']>[0]) => {
      // A missing engine is told before anything is prepared.
      decideEngine(resolveSettings({ engine: bench.engine }).engine)
      let exitCode = 0
      const fail = (sentence: string) => {
        exitCode = 2
        if (json) console.error(sentence)
        else console.log(sentence)
      }
      await bench.run(config, { ...(json ? jsonTeller : textTeller), fail })
      return { text: '', json: undefined, exitCode }
    }
    const invocation = await readCommand(name, { ...bench, program, footer, run }, rest, width)
    const { exitCode } = await invocation.run({
      progress: silent,
      signal: new AbortController().signal,
      now: () => new Date(),
      columns: width,
    })
    return exitCode ?? 0
  } catch (error) {
    if (!(error instanceof TextAsked)) return complain(error, json, 'bench')
    await print(error.text)
    return 0
  }
}

const textTeller: Omit<Teller, 'fail'> = { line: text => console.log(text), result() {} }
const jsonTeller: Omit<Teller, 'fail'> = { line() {}, result: figures => console.log(visibleJson(figures)) }

function unknownBench(name: string): UserError {
  const [best] = nearest(name, Object.keys(benches), 1)
  return new UserError(
    name.startsWith('-') ? `The benchmark comes before ${name}.` : `There is no benchmark ${name}.`,
    {
      fix: name.startsWith('-')
        ? `Name one of ${Object.keys(benches).join(', ')} first.`
        : `Did you mean ${best}? \`${program} --help\` lists all.`,
    },
  )
}

function overview(width: number): string {
  return helpText(
    {
      usage: `${program} <benchmark> [flags]`,
      about: 'Benchmarks that give ratios measured in one run, and the machine they ran on.',
      examples: [`${program} train --rounds 3`, `${program} capture --json`],
      sections: [{ title: 'Benchmarks', rows: Object.entries(benches).map(([key, { summary }]) => [key, summary]) }],
      footer: `\`${program} <benchmark> --help\` shows its flags.`,
    },
    width,
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main(process.argv.slice(2))

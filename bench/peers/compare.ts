/** The peers of a benchmark: which there are, the flags that choose them, and what is told of them beside our own cases. */
import { z } from 'zod'
import { UserError } from '../../core/errors.ts'
import type { EngineChoice } from '../../engine/settings.ts'
import type { Teller } from '../options.ts'
import type { Timing, Worker } from '../workers.ts'
import { startPeer } from './peer.ts'

/** The scripts of a benchmark's peers, by name. */
export const capturePeers = {
  transformers: 'capture_transformers.py',
  'transformer-lens': 'capture_transformerlens.py',
} as const

export const trainPeers = {
  sparsify: 'train_sparsify.py',
  saelens: 'train_saelens.py',
  'dictionary-learning': 'train_dictionary_learning.py',
} as const

type Scripts = Readonly<Record<string, string>>

/** The flags by which a benchmark takes peers; `what` is the case of ours that they do the work of. */
export function peerFlags(scripts: Scripts, what: string) {
  const names = Object.keys(scripts) as [string, ...string[]]
  return {
    peers: z
      .string()
      .optional()
      .describe(
        `A Python that has the peers (bench/peers/README.md): each does the work of ${what} in turns with ours`,
      ),
    peerNames: z.array(z.enum(names)).nonempty().optional().describe('Which peers --peers starts; by default all'),
  }
}

/** What the flags of peers come to. */
export interface PeersAsked {
  readonly peers?: string | undefined
  readonly peerNames?: readonly string[] | undefined
}

/** Throws a `UserError` where peers are named without a Python to start them with. */
export function checkPeerNames({ peers, peerNames }: PeersAsked): void {
  if (peers || !peerNames) return
  throw new UserError(`--peerNames chooses ${peerNames.join(', ')}, but no Python is given to start them with.`, {
    fix: 'Give one that has them: --peers PYTHON.',
  })
}

/** Starts the peers that are asked for, one after the other; those that have started stop where one of them cannot. */
export async function startPeers(
  { peers, peerNames }: PeersAsked,
  scripts: Scripts,
  engine: EngineChoice,
): Promise<Worker[]> {
  if (!peers) return []
  const started: Worker[] = []
  try {
    for (const name of peerNames ?? Object.keys(scripts)) started.push(await startPeer(peers, scripts[name]!, engine))
    return started
  } catch (error) {
    for (const peer of started) peer.stop()
    throw error
  }
}

/** A case of ours that peers are compared with. */
export interface Compared {
  readonly name: string
  readonly timing: Timing
}

/** Tells each peer's rate, and how many times as fast as it each of our cases was in the same run. */
export async function tellPeers(
  benchmark: string,
  peers: readonly Worker[],
  timings: readonly Timing[],
  tokens: number,
  cases: readonly Compared[],
  tell: Teller,
): Promise<void> {
  for (const [i, peer] of peers.entries()) {
    const { name, versions, instructions } = (await peer.facts()) as Record<string, string>
    const { seconds, processorSeconds } = timings[i]!
    const figures = { tokensPerSecond: tokens / seconds, tokensPerCoreSecond: tokens / processorSeconds }
    const ratios = cases.map(each => ({
      case: each.name,
      toPeer: seconds / each.timing.seconds,
      coreSecondsToPeer: processorSeconds / each.timing.processorSeconds,
    }))
    tell.line(`${name} (${versions}, ${instructions}) in float32:`)
    tell.line(
      `  ${figures.tokensPerSecond.toFixed(0)} tokens/s, ${figures.tokensPerCoreSecond.toFixed(0)} a core-second`,
    )
    for (const { case: which, toPeer, coreSecondsToPeer } of ratios)
      tell.line(`  ${which}: ${toPeer.toFixed(2)} times as fast, ${coreSecondsToPeer.toFixed(2)} a core-second`)
    tell.result({ benchmark, peer: name, versions, instructions, ...figures, ratios })
  }
}

/** A language model as the label stage uses it: settings, key, cache and consent put together. */
import { UserError } from '../../core/errors.ts'
import type { StageContext } from '../../core/stage.ts'
import type { Activations } from '../../latents/activations.ts'
import { writeAnswers } from '../answers.ts'
import type { Explanation } from '../explanation.ts'
import { askingThrough } from './asking.ts'
import { AnswerCache } from './cache.ts'
import type { ExplainConfig } from './config.ts'
import { estimateText } from './cost.ts'
import { checkExplain, explainLatents } from './explain.ts'
import type { HumanAnswer } from './human.ts'
import { turns } from './rate.ts'

/** Explains latents by a language model, from discovery text, and scores the explanations on validation text. */
export type Explain = (text: {
  readonly discovery: Activations
  readonly validation: Activations
  readonly tokenText: (token: number) => string
}) => Promise<ReadonlyMap<number, Explanation>>

export interface ExplainerOptions {
  readonly config: ExplainConfig
  readonly context: StageContext
  /** Folder in which answers are kept. */
  readonly cache: string
  /** Values of environment variables. */
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly human: readonly HumanAnswer[]
  /** Latents with evidence. */
  readonly tested: readonly number[]
  /** Whether to go on, told what it takes. */
  readonly agree: (estimate: string) => Promise<void>
}

/** Throws a `UserError` where the settings, the key or the named latents are not there; writes answers.parquet when done. */
export function explainerOf(options: ExplainerOptions): Explain {
  const { config, context, environment, agree } = options
  checkExplain(config)
  const key = keyOf(config, environment)
  const cache = new AnswerCache(options.cache, config.endpoint)
  const { signal, seed, progress, directory } = context
  return async text => {
    const asking = askingThrough(
      cache,
      {
        ...{ endpoint: config.endpoint, key, signal, timeout: config.timeout * 1000, tries: config.tries },
        turn: turns(config.requestsPerMinute),
      },
      config.concurrency,
    )
    const { explanations, answers } = await explainLatents({
      ...text,
      ...{ config, seed, asking, human: options.human, progress },
      latents: latentsOf(options, text.discovery),
      kept: request => cache.get(request),
      confirm: estimate => agree(estimateText(estimate, config.endpoint)),
    })
    await writeAnswers(directory, { rows: answers, scorer: config.scorer ?? config.model })
    const { requests, kept, promptTokens, completionTokens } = asking.asked
    progress.note(
      `${requests} answers, ${kept} of them kept from before; ${promptTokens} tokens sent and ${completionTokens} received by the server's count.`,
    )
    return explanations
  }
}

function keyOf({ keyVariable }: ExplainConfig, environment: ExplainerOptions['environment']): string | undefined {
  if (keyVariable === undefined) return undefined
  const key = environment[keyVariable]?.trim()
  if (!key)
    throw new UserError(`The environment variable ${keyVariable}, which explainer.keyVariable names, is not set.`, {
      fix: `Set ${keyVariable} to the key, or leave explainer.keyVariable out where the server asks for none.`,
    })
  // A head of a request can hold nothing else, and what cannot be sent would be told with the key in it.
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new UserError(`The environment variable ${keyVariable} holds characters that no key has.`, {
      fix: 'Set it to the key alone, without spaces or line breaks.',
    })
  return key
}

function latentsOf({ config, tested }: ExplainerOptions, { latents, offsets }: Activations): number[] {
  const wanted = config.latents
  if (wanted === 'tested') {
    if (tested.length === 0)
      throw new UserError('explainer.latents is tested, but there is no evidence of any latent.', {
        fix: 'Name a validate run with --evidence, or other latents.',
      })
    return [...tested].sort((a, b) => a - b)
  }
  if (wanted === 'all')
    return Array.from({ length: latents }, (_, latent) => latent).filter(
      latent => offsets[latent + 1]! > offsets[latent]!,
    )
  const beyond = wanted.find(latent => latent >= latents)
  if (beyond !== undefined)
    throw new UserError(`explainer.latents names ${beyond}, but the SAE has ${latents} latents.`, {
      fix: `Name latents from 0 to ${latents - 1}.`,
    })
  return [...new Set(wanted)].sort((a, b) => a - b)
}

/** Explanations by a language model, and their scores: draws the windows, says what it costs, asks, and counts. */
import { UserError } from '../../core/errors.ts'
import type { Progress } from '../../core/progress.ts'
import type { Activations } from '../../latents/activations.ts'
import type { AnswerRow, ShownExample } from '../answers.ts'
import { occurrencesOf } from '../describe/examples.ts'
import type { Explanation } from '../explanation.ts'
import type { Asking } from './asking.ts'
import type { ChatAnswer, ChatRequest } from './client.ts'
import type { ExplainConfig } from './config.ts'
import { type Estimate, estimateOf } from './cost.ts'
import { type HumanAnswer, humanRows } from './human.ts'
import { detectionPrompt } from './prompts/detection.ts'
import { explanationPrompt, longestExplanation, type Prompt } from './prompts/explanation.ts'
import { fuzzingPrompt } from './prompts/fuzzing.ts'
import { simulationPrompt } from './prompts/simulation.ts'
import { type Samples, samplesOf } from './samples.ts'
import { agreementOf, binaryScore, coverageOf, simulationScore } from './scores.ts'

/** What is explained, and who is asked. */
export interface ExplainInputs {
  readonly discovery: Activations
  readonly validation: Activations
  readonly tokenText: (token: number) => string
  readonly latents: readonly number[]
  readonly config: ExplainConfig
  readonly seed: number
  readonly asking: Asking
  readonly human: readonly HumanAnswer[]
  /** The answer that a request has already; undefined where it would have to be sent. */
  kept(request: ChatRequest): Promise<ChatAnswer | undefined>
  /** Told what it takes before anything is sent; throws where that is not agreed to. Not called where nothing is sent. */
  confirm(estimate: Estimate): Promise<void>
  readonly progress: Progress
}

/** Explanations by latent, and every answer that their scores are made of. */
export interface Explained {
  readonly explanations: ReadonlyMap<number, Explanation>
  readonly answers: readonly AnswerRow[]
}

/** Explains and scores latents. The result does not depend on the order in which answers come. */
export async function explainLatents(inputs: ExplainInputs): Promise<Explained> {
  const { config, latents, human, progress } = inputs
  const text = { ...inputs, occurrences: occurrencesOf(inputs.validation) }
  const samples = latents.flatMap(latent => samplesOf(text, latent, config, inputs.seed) ?? [])
  const estimate = estimateOf(await upcoming(inputs, samples), config)
  if (estimate.requests > 0) await inputs.confirm(estimate)
  progress.start('Asking the language model', samples.length, 'latents')
  let done = 0
  const told = await allSettled(
    samples.map(async sample => {
      const explained = await explainOne(inputs, sample)
      progress.update(++done)
      return explained
    }),
  )
  progress.finish()
  const answers = told.flatMap(({ rows }) => rows)
  const detected = answers.filter(({ score, judge }) => score === 'detection' && judge === scorerOf(config))
  const people = humanRows(human, detected)
  return {
    explanations: new Map(told.map(({ latent, explanation, rows }) => [latent, withPeople(explanation, latent, rows)])),
    answers: [...answers, ...people],
  }

  function withPeople(explanation: Explanation, latent: number, rows: readonly AnswerRow[]): Explanation {
    const theirs = people.filter(row => row.latent === latent)
    if (theirs.length === 0) return explanation
    const own = rows.filter(({ score, judge }) => score === 'detection' && judge === scorerOf(config))
    return { ...explanation, agreement: [...explanation.agreement, agreementOf(own, theirs, 'human')] }
  }
}

const scorerOf = ({ model, scorer }: ExplainConfig): string => scorer ?? model

/** Waits for all, so that nothing goes on behind an error, then throws the first. */
async function allSettled<T>(work: readonly Promise<T>[]): Promise<T[]> {
  const ends = await Promise.allSettled(work)
  const failed = ends.find(end => end.status === 'rejected')
  if (failed) throw failed.reason
  return ends.map(end => (end as PromiseFulfilledResult<T>).value)
}

/**
 * Requests that would be sent. Scores of an explanation that is not there yet are asked with one as long as it may be; what is
 * answered already is left out.
 */
async function upcoming({ config, kept, seed }: ExplainInputs, samples: readonly Samples[]): Promise<ChatRequest[]> {
  const unknown = 'x'.repeat(longestExplanation)
  const requests: ChatRequest[] = []
  for (const sample of samples) {
    const prompt = explanationPrompt(sample.explain)
    const first = requestOf(prompt, config.model, config, seed)
    const answer = await kept(first)
    const text = answer ? readAnswer(answer, prompt) : unknown
    if (!answer) requests.push(first)
    if (text === undefined) continue
    for (const { prompt, judge } of scoring(config, sample, text)) {
      const request = requestOf(prompt, judge, config, seed)
      if (!(await kept(request))) requests.push(request)
    }
  }
  return requests
}

/** What an answer says to a prompt; an answer that was cut says nothing. */
function readAnswer<T>({ text, cut }: ChatAnswer, prompt: Prompt<T>): T | undefined {
  return cut ? undefined : prompt.read(text)
}

function requestOf(
  { system, user }: Prompt<unknown>,
  model: string,
  { maxTokens }: ExplainConfig,
  seed: number,
): ChatRequest {
  return {
    model,
    messages: [
      { role: 'system', content: system },
      { role: 'user', content: user },
    ],
    ...{ temperature: 0, max_tokens: maxTokens, seed },
  }
}

/** One request of a score: the examples that it asks about, and how its reply becomes answers. */
interface ScoreRequest {
  readonly score: AnswerRow['score']
  readonly judge: string
  readonly examples: readonly ShownExample[]
  readonly truths: readonly (boolean | null)[]
  readonly prompt: Prompt<boolean[] | number[]>
}

/** Every request that scores an explanation. */
function scoring(config: ExplainConfig, sample: Samples, explanation: string): ScoreRequest[] {
  const { positives, negatives, fuzzed, simulated } = sample
  const first = scorerOf(config)
  const requests: ScoreRequest[] = []
  const wants = (score: AnswerRow['score']) => config.scores.includes(score)
  if (wants('detection')) {
    // Positives and negatives take turns, so that no request is of one kind.
    const mixed = interleaved(positives, negatives)
    for (const judge of [first, ...(config.secondScorer === undefined ? [] : [config.secondScorer])])
      for (const examples of pieces(mixed, config.perPrompt))
        requests.push({
          ...{ score: 'detection', judge, examples, truths: examples.map(({ band }) => band > 0) },
          prompt: detectionPrompt(explanation, examples),
        })
  }
  if (wants('fuzzing'))
    for (const examples of pieces(fuzzed, config.perPrompt))
      requests.push({
        ...{ score: 'fuzzing', judge: first, examples, truths: examples.map(({ right }) => right) },
        prompt: fuzzingPrompt(explanation, examples),
      })
  if (wants('simulation'))
    for (const example of simulated)
      requests.push({
        ...{ score: 'simulation', judge: first, examples: [example], truths: [null] },
        prompt: simulationPrompt(explanation, example),
      })
  return requests
}

function interleaved<T>(a: readonly T[], b: readonly T[]): T[] {
  return Array.from({ length: Math.max(a.length, b.length) }, (_, i) => [a[i], b[i]]).flatMap(pair =>
    pair.filter(one => one !== undefined),
  )
}

function pieces<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size))
}

/** Explains a latent and scores the explanation. */
async function explainOne({ config, seed, asking }: ExplainInputs, sample: Samples) {
  const { latent } = sample
  const ask = async <T>(prompt: Prompt<T>, model: string) =>
    readAnswer(await asking.ask(requestOf(prompt, model, config, seed)), prompt)
  const text = (await ask(explanationPrompt(sample.explain), config.model)) ?? null
  const rows: AnswerRow[] = []
  if (text !== null) {
    const requests = scoring(config, sample, text)
    const replies = await allSettled(requests.map(({ prompt, judge }) => ask(prompt, judge)))
    for (const [i, request] of requests.entries()) rows.push(...rowsOf(latent, request, replies[i]))
  }
  const first = scorerOf(config)
  const of = (score: AnswerRow['score'], judge = first) =>
    rows.filter(row => row.score === score && row.judge === judge)
  const wants = (score: AnswerRow['score']) => text !== null && config.scores.includes(score)
  const second = config.secondScorer
  const explanation: Explanation = {
    ...{ text, model: config.model, scorer: first },
    detection: wants('detection') ? binaryScore(of('detection')) : null,
    fuzzing: wants('fuzzing') ? binaryScore(of('fuzzing')) : null,
    simulation: wants('simulation') ? simulationScore(of('simulation'), seed) : null,
    coverage: wants('detection') ? coverageOf(of('detection')) : null,
    agreement:
      second !== undefined && wants('detection') ? [agreementOf(of('detection'), of('detection', second), second)] : [],
  }
  return { latent, explanation, rows }
}

function rowsOf(latent: number, request: ScoreRequest, reply: boolean[] | number[] | undefined): AnswerRow[] {
  const { score, judge, examples, truths } = request
  return examples.map(({ group, band, window, position, start, tokens, activations }, i) => ({
    ...{ latent, score, judge, group, band, window, position, start, tokens, activations, truth: truths[i]! },
    answer: score === 'simulation' || reply === undefined ? null : Boolean(reply[i]),
    simulated: score === 'simulation' && reply !== undefined ? (reply as number[]) : null,
  }))
}

/** Refuses a second scorer that is the first, which would agree with itself, and one that has nothing to score. */
export function checkExplain(config: ExplainConfig): void {
  if (config.secondScorer === scorerOf(config))
    throw new UserError(`explainer.secondScorer is ${config.secondScorer}, which is the scorer already.`, {
      fix: 'Name another model, or leave it out.',
    })
  for (const key of ['secondScorer', 'human'] as const)
    if (config[key] !== undefined && !config.scores.includes('detection'))
      throw new UserError(`explainer.${key} is compared on detection, which explainer.scores leaves out.`, {
        fix: `Add detection to explainer.scores, or leave explainer.${key} out.`,
      })
}

/** Settings of asking a language model, of any server that speaks the protocol of OpenAI's chat completions. */
import { z } from 'zod'

const explainScores = ['detection', 'fuzzing', 'simulation'] as const

export const ExplainConfig = z.strictObject({
  endpoint: z
    .url({ protocol: /^https?$/ })
    .refine(address => URL.canParse(address) && new URL(address).username === '' && new URL(address).search === '', {
      message: 'an address holds no name, key or query; name the variable that holds the key (keyVariable)',
    })
    .describe('Address of the server, up to /chat/completions: http://localhost:8000/v1'),
  model: z.string().min(1).describe('Model that explains'),
  scorer: z.string().min(1).optional().describe('Model that scores (default: the one that explains)'),
  secondScorer: z.string().min(1).optional().describe('Another model whose answers are compared with the scorer’s (κ)'),
  human: z.string().optional().describe('JSON lines with answers of people, compared with the scorer’s (κ)'),
  keyVariable: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
    .optional()
    .describe('Environment variable that holds the key (default: no key is sent)'),
  latents: z
    .union([z.enum(['all', 'tested']), z.array(z.int().min(0)).min(1)])
    .default('all')
    .describe('Latents that are explained: all that fire, those with evidence, or a list'),
  scores: z
    .array(z.enum(explainScores))
    .min(1)
    .default([...explainScores])
    .describe('Scores of each explanation'),
  explainExamples: z.int().min(1).default(20).describe('Windows of discovery text that an explanation is made from'),
  scoreExamples: z
    .int()
    .min(2)
    .default(20)
    .describe(
      'Windows of validation text in which the latent fires, and as many in which it does not, half of these hard',
    ),
  simulated: z
    .int()
    .min(2)
    .default(10)
    .describe('Windows whose activations are simulated, half with and half without any'),
  context: z.int().min(1).default(16).describe('Tokens shown on each side of the strongest one'),
  perPrompt: z.int().min(1).default(5).describe('Examples judged by one request'),
  maxTokens: z.int().min(16).default(500).describe('Tokens of an answer at most'),
  concurrency: z.int().min(1).default(4).describe('Requests under way at once'),
  requestsPerMinute: z.int().min(1).default(600).describe('Requests started in a minute at most'),
  timeout: z.number().min(1).default(120).describe('Seconds after which a request without an answer is given up'),
  tries: z.int().min(1).default(6).describe('Tries of a request that fails in a way that may pass'),
  priceInput: z.number().min(0).optional().describe('Price of a million tokens sent, for the estimate'),
  priceOutput: z.number().min(0).optional().describe('Price of a million tokens received, for the estimate'),
})
export type ExplainConfig = z.output<typeof ExplainConfig>

/** Features of a label run: filtered, sorted, searched and paged; and how a column is distributed under a filter. */
import { z } from 'zod'
import { number, pageEnd, pageOf, Row, reads, several, whole } from '../contract.ts'

/** Which features are meant. */
const selection = {
  where: several.describe(
    'Conditions that all must hold: `density>=0.001 and (verdict=pass or label~apple)`; operators = != < <= > >= ~ (contains), not, and, or',
  ),
  label: z.string().optional().describe('Only features whose label contains this, without regard to case'),
  token: z
    .string()
    .optional()
    .describe('Only features that promote or suppress this token, have it in their rule, or are strongest at it'),
  text: z.string().max(1000).optional().describe('Only features with an example that contains this text'),
}

/** In which order they come, and what is told of each. */
const shown = {
  sort: z
    .string()
    .optional()
    .describe('A column; -column for the largest first. What is missing comes last either way'),
  column: several.describe(
    'Columns to give (default: all but lists). A label comes with its scores, what it covers, verdict, stability and hashes, always',
  ),
}

export const features = reads({
  name: 'features',
  path: '/api/runs/{run}/features',
  summary: 'Features of a label run: filtered, sorted, a page at a time',
  query: z.strictObject({
    ...selection,
    ...shown,
    offset: whole(0, 1e9).optional().describe('Features to leave out; not with a cursor'),
    ...pageOf(10_000, 100),
  }),
  answer: z.strictObject({ features: z.array(Row), ...pageEnd }),
  table: 'features',
})

export const exported = reads({
  name: 'exported',
  path: '/api/runs/{run}/export',
  summary: 'All features of a label run that fulfil conditions, as a file to keep, streamed',
  query: z.strictObject({
    ...selection,
    ...shown,
    format: z
      .enum(['csv', 'jsonl', 'arrow'])
      .default('csv')
      .describe('csv (RFC 4180, lists as JSON), jsonl (an object a line), arrow (an IPC stream)'),
  }),
  answer: Row,
  file: ['text/csv', 'application/jsonl', 'application/vnd.apache.arrow.stream'],
})

export const columns = reads({
  name: 'columns',
  path: '/api/runs/{run}/columns',
  summary: 'The columns of the features of a label run: type, range, missing values',
  answer: z.strictObject({
    rows: z.int(),
    columns: z.array(
      z.strictObject({
        name: z.string(),
        type: z.enum(['number', 'boolean', 'text', 'list']),
        missing: z.int(),
        /** Of numbers. */
        least: number,
        most: number,
        /** Of texts with at most 20 different values: the values and how often each is there. */
        values: z.array(z.strictObject({ value: z.string(), count: z.int() })).nullable(),
      }),
    ),
  }),
})

export const histogram = reads({
  name: 'histogram',
  path: '/api/runs/{run}/histogram',
  summary: 'How a column of numbers is distributed over the features that fulfil conditions',
  query: z.strictObject({
    ...selection,
    column: z.string().describe('A column of numbers'),
    bins: whole(1, 1000).default(40).describe('Equal parts of the range'),
    scale: z
      .enum(['linear', 'log'])
      .default('linear')
      .describe('log: equal parts of log₁₀; values ≤ 0 are counted apart'),
  }),
  answer: z.strictObject({
    column: z.string(),
    /** Edges of the bins, one more than counts; the last bin holds its upper edge. Empty where no value is there. */
    edges: z.array(z.number()),
    counts: z.array(z.int()),
    /** Features without a value, and with one that a log scale cannot show. */
    missing: z.int(),
    notShown: z.int(),
    total: z.int(),
  }),
})

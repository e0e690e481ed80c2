/** answers.parquet of a label run: every example that a language model was asked about, with the truth and what it said. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { writeAtomic } from '../core/files.ts'
import { encodeTable, readTable, readTableInfo } from '../datasets/tables.ts'

/** Version of the table; readers refuse others. */
const answersSchema = 1

/** A window as it is shown to a judge. */
export interface ShownExample {
  /** `band-1` …, `silent` or `silent-same-token`; in fuzzing, of the window that is shown. */
  readonly group: string
  /** Number of the band, 0 of one in which the latent is silent. */
  readonly band: number
  readonly window: string
  readonly position: number
  readonly start: number
  readonly tokens: readonly string[]
  readonly activations: readonly number[]
}

/** One example and one judge's answer. */
export interface AnswerRow extends ShownExample {
  readonly latent: number
  readonly score: 'detection' | 'fuzzing' | 'simulation'
  /** The model that was asked, or `human`. */
  readonly judge: string
  /** Whether yes is right: the latent fires there (detection), the marks are where it fires (fuzzing); null in simulation. */
  readonly truth: boolean | null
  /** What was said; null where nothing could be read, and in simulation. */
  readonly answer: boolean | null
  /** Activations that were simulated; null otherwise. */
  readonly simulated: readonly number[] | null
}

/** All answers of a run, and who its scores are by. */
export interface Answers {
  readonly rows: readonly AnswerRow[]
  readonly scorer: string | null
}

/** Writes the table. */
export async function writeAnswers(directory: string, { rows, scorer }: Answers): Promise<void> {
  const text = (pick: (row: AnswerRow) => string) => ({ type: 'string' as const, values: rows.map(pick) })
  const whole = (pick: (row: AnswerRow) => number) => ({ type: 'int32' as const, values: rows.map(pick) })
  const truth = (pick: (row: AnswerRow) => boolean | null) => ({
    type: 'boolean' as const,
    values: rows.map(pick),
    nullable: true,
  })
  await writeAtomic(
    join(directory, 'answers.parquet'),
    encodeTable(
      {
        latent: whole(({ latent }) => latent),
        ...{ score: text(({ score }) => score), judge: text(({ judge }) => judge), group: text(({ group }) => group) },
        ...{ band: whole(({ band }) => band), window: text(({ window }) => window) },
        ...{ position: whole(({ position }) => position), start: whole(({ start }) => start) },
        tokens: { type: 'list<string>', values: rows.map(({ tokens }) => tokens) },
        activations: { type: 'list<float32>', values: rows.map(({ activations }) => activations) },
        ...{ truth: truth(row => row.truth), answer: truth(row => row.answer) },
        simulated: { type: 'list<float32>', values: rows.map(({ simulated }) => simulated), nullable: true },
      },
      { schema: answersSchema, metadata: { scorer: scorer ?? '' } },
    ),
  )
}

/** Reads the table; no answers where a label run asked no language model. */
export async function readAnswers(directory: string): Promise<Answers> {
  const path = join(directory, 'answers.parquet')
  if (!existsSync(path)) return { rows: [], scorer: null }
  const { metadata } = await readTableInfo(path)
  const table = await readTable(path, { schema: answersSchema })
  const rows = table.latent!.map((_, i) =>
    Object.fromEntries(Object.entries(table).map(([name, values]) => [name, values[i]])),
  )
  return { rows: rows as unknown as AnswerRow[], scorer: metadata.scorer || null }
}

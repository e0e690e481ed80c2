/** Labels for other programs: the selected features of a label run in one of the forms, and where the files go. */
import { dirname, join, relative } from 'node:path'
import { writeAtomic } from '../core/files.ts'
import { makeNewFolder } from '../core/new-folder.ts'
import { readAnswers } from './answers.ts'
import { type Feature, isLabelled } from './feature.ts'
import { readFeatures } from './files.ts'
import type { ExportFile, LabelFormat, LabelSource, LabelsAbout } from './formats/format.ts'
import { storedExamples } from './stored-examples.ts'

/** Which features an export holds. */
export interface LabelSelection {
  /** Only features with one of these verdicts (`pass`, `fail`, `inconclusive`, `not-run`). */
  readonly verdicts?: readonly string[] | undefined
  /** Only features with a label. */
  readonly labelledOnly?: boolean
}

/** What a form writes of a label run's directory. */
export async function sourceOf(
  directory: string,
  about: LabelsAbout,
  vector: LabelSource['vector'],
  { verdicts, labelledOnly }: LabelSelection = {},
): Promise<LabelSource> {
  const chosen = (feature: Feature) =>
    (!verdicts || verdicts.includes(feature.evidence?.verdict ?? 'not-run')) && (!labelledOnly || isLabelled(feature))
  const features = (await readFeatures(directory)).filter(chosen)
  const latents = new Set(features.map(({ latent }) => latent))
  return {
    ...{ features, about, vector },
    async *examples() {
      for await (const entry of storedExamples(directory)) if (latents.has(entry[0])) yield entry
    },
    async answers() {
      const { rows, scorer } = await readAnswers(directory)
      return { rows: rows.filter(({ latent }) => latents.has(latent)), scorer }
    },
  }
}

/** The single file of a form that is one. */
export async function fileOf(format: LabelFormat, source: LabelSource): Promise<ExportFile['data']> {
  for await (const { data } of format.write(source)) return data
  throw new Error(`The form ${format.name} wrote no file.`)
}

/**
 * Writes the files of a form that is a folder; their paths, in the order in which they were written. The folder that holds them all, of
 * Neuronpedia that of the source below model and release, is there whole or not at all; a `UserError` where it has files already.
 */
export async function writeFolder(format: LabelFormat, source: LabelSource, folder: string): Promise<string[]> {
  const files = format.write(source)
  const first = await files.next()
  if (first.done) throw new Error(`The form ${format.name} wrote no file.`)
  const base = dirname(first.value.path)
  const paths: string[] = []
  await makeNewFolder(join(folder, base), 'an export', async partial => {
    const write = async ({ path, data }: ExportFile) => {
      await writeAtomic(join(partial, relative(base, path)), data)
      paths.push(path)
    }
    await write(first.value)
    for await (const file of files) await write(file)
  })
  return paths
}

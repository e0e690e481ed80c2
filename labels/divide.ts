/**
 * Labels in units that processes of their own can do: pieces of text, encoded, and then ranges of latents, described on all
 * of the text. What a language model is asked is asked by the one process that closes the run.
 */
import { join } from 'node:path'
import type { StageContext } from '../core/stage.ts'
import { Working, workingFolder } from '../core/working.ts'
import type { Activations } from '../latents/activations.ts'
import { type Describer, describerOf, rangesOf } from './describe-latents.ts'
import { checkInputs, type DescribeInputs } from './inputs.ts'
import { drawText, type Half, halves, readHalf, textsOf, writePiece } from './text.ts'

/** The units by name, and what does one of them, leaving its finished part in a directory. */
export async function divideLabels(context: StageContext, inputs: DescribeInputs) {
  const given = checkInputs(inputs)
  const { model, sae, dataset, tokenizer, config } = inputs
  const { signal } = context
  const text = await drawText(dataset, config, context)
  const options = { model, sae, signal }
  const pieces = halves.flatMap(half => text[half].pieces)
  const ranges = rangesOf(sae.latents)
  let describer: Describer | undefined

  const open = async (partOf: (unit: number) => Promise<string>): Promise<Describer> => {
    const read = (half: Half): Promise<Activations> =>
      readHalf(text[half], async piece => join(await partOf(pieces.indexOf(piece)), workingFolder), options)
    const activations = { discovery: await read('discovery'), validation: await read('validation') }
    return describerOf(inputs, given, activations, textsOf(tokenizer), context)
  }

  return {
    names: [...pieces, ...ranges].map(({ name }) => name),
    /** `partOf` gives the folder of what another unit left. */
    async work(unit: number, directory: string, partOf: (unit: number) => Promise<string>): Promise<void> {
      const piece = pieces[unit]
      if (piece) return writePiece(piece, join(directory, workingFolder), options)
      describer ??= await open(partOf)
      const { describe } = describer
      const range = ranges[unit - pieces.length]!
      const working = new Working(directory)
      await working.part(range.name, () => describe(range, signal))
      await working.settled()
    },
    close: () => describer?.close(),
  }
}

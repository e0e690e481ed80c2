/**
 * Rows of a safetensors file. A tensor may have any axes before a row's own, such as batch and position, and a row of several
 * sites may have them as an axis: they are laid flat.
 */
import { UserError } from '../../core/errors.ts'
import { openSafetensors } from '../../engine/safetensors.ts'

export interface RowFile {
  /** All rows [rows, width] of a tensor; a `UserError` where it is missing, empty or of another width. */
  rows(tensor: string, width: number): Promise<Float32Array>
  /** How many rows follow one another in a sequence: those along the axis before a row's own. */
  positions(tensor: string, width: number): number
  close(): Promise<void>
}

/** Opens a file of rows. */
export async function openRows(path: string): Promise<RowFile> {
  const file = await openSafetensors(path)
  return {
    async rows(tensor, width) {
      if (!file.has(tensor))
        throw new UserError(`${path} has no tensor ${tensor}.`, {
          fix: `It has ${file.names.slice(0, 12).join(', ') || 'none'}; name the rows with --tensor.`,
        })
      const shape = file.shape(tensor)
      if (!endsIn(shape, width))
        throw new UserError(`${tensor} in ${path} has shape [${shape}]; it must be [rows, ${width}].`, {
          fix: `More axes may come before the last, or make it up, as in [batch, position, ${width}].`,
        })
      if (shape.includes(0)) throw new UserError(`${tensor} in ${path} has no rows: its shape is [${shape}].`)
      return file.read(tensor)
    },
    positions(tensor, width) {
      const shape = file.shape(tensor)
      let axis = shape.length - 1
      for (let product = shape[axis]!; product < width && axis > 1; ) product *= shape[--axis]!
      return shape[axis - 1] ?? 1
    },
    close: () => file.close(),
  }
}

/** Whether the last axes of a shape make up rows of that width, with at least one axis before them. */
function endsIn(shape: readonly number[], width: number): boolean {
  for (let axis = shape.length - 1, product = 1; axis >= 1; axis--) {
    product *= shape[axis]!
    if (product === width) return true
  }
  return false
}

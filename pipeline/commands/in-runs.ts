/** Commands that are told to a person must work as they stand. */
import { shellWord } from '../../core/shell.ts'
import { shortPath } from '../../core/text.ts'

/** The flag that names the folder of the runs, where one was named: for the end of a command. */
export const inRuns = ({ 'runs-dir': folder }: { readonly 'runs-dir'?: string | undefined }): string =>
  folder === undefined ? '' : ` --runs-dir ${shellWord(shortPath(folder))}`

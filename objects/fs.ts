/**
 * Objects as files below a folder, which machines may share. A file is written under a name of its own, flushed, and then
 * linked to its place: linking fails where something is there, on NFS too, so that no object is ever half or replaced.
 */
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, link, open, readdir, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { codeOf, NotThereError, UserError } from '../core/errors.ts'
import { makeFolder, partialEnding, syncFolder, writeError } from '../core/files.ts'
import { checkName, type ObjectData, type ObjectStore } from './object-store.ts'

/** The store in a folder, which is made when something is put there. */
export function folderStore(folder: string): ObjectStore {
  const root = resolve(folder)
  const pathOf = (name: string) => {
    checkName(name)
    return join(root, name)
  }
  return {
    place: root,
    pathOf,
    async head(name) {
      const info = await stat(pathOf(name)).catch(absent)
      return info?.isFile() ? { bytes: info.size } : undefined
    },
    async read(name, range) {
      const file = await open(pathOf(name), 'r').catch(absent)
      if (!file) throw new NotThereError(`There is no object ${name} in ${root}.`)
      try {
        const { size } = await file.stat()
        const start = Math.min(range?.start ?? 0, size)
        const bytes = new Uint8Array(Math.min(range?.end ?? size, size) - start)
        for (let done = 0; done < bytes.length; ) {
          const { bytesRead } = await file.read(bytes, done, bytes.length - done, start + done)
          if (bytesRead === 0) throw new UserError(`${join(root, name)} became shorter while it was read.`)
          done += bytesRead
        }
        return bytes
      } finally {
        await file.close()
      }
    },
    async list(prefix) {
      // Only the folder that the prefix lies in can hold such names.
      const within = prefix.includes('/') ? prefix.slice(0, prefix.lastIndexOf('/')) : ''
      const entries = (await readdir(join(root, within), { withFileTypes: true, recursive: true }).catch(absent)) ?? []
      return entries
        .filter(entry => entry.isFile() && !entry.name.endsWith(partialEnding))
        .map(entry => join(entry.parentPath, entry.name).slice(root.length + 1))
        .filter(name => name.startsWith(prefix))
        .sort()
    },
    async putIfAbsent(name, data) {
      const path = pathOf(name)
      if (await stat(path).catch(absent)) return false
      await makeFolder(dirname(path))
      return place(path, data)
    },
    async remove(name) {
      await unlink(pathOf(name)).catch(absent)
    },
  }
}

async function place(path: string, data: ObjectData): Promise<boolean> {
  const temporary = `${path}.${randomUUID()}${partialEnding}`
  try {
    if (data instanceof Uint8Array) await flushed(temporary, data)
    else await sameFile(data.file, temporary)
    await link(temporary, path)
    await syncFolder(dirname(path))
    return true
  } catch (error) {
    const code = codeOf(error)
    if (code === 'EEXIST') return false
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'EOPNOTSUPP')
      throw new UserError(
        `${dirname(path)} is on a disk that knows no links, by which files are put in place as a whole.`,
        {
          fix: 'Choose a place on another disk, or an S3 bucket.',
          cause: error,
        },
      )
    throw writeError(path, error)
  } finally {
    await unlink(temporary).catch(absent)
  }
}

/** The file under a second name, or a copy of it where that is on another disk. */
async function sameFile(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    if (codeOf(error) !== 'EXDEV') throw error
    await copyFile(from, to, constants.COPYFILE_EXCL)
  }
  const file = await open(to, 'r')
  await file.sync().finally(() => file.close())
}

async function flushed(path: string, data: Uint8Array): Promise<void> {
  const file = await open(path, 'wx')
  try {
    await file.writeFile(data)
    await file.sync()
  } finally {
    await file.close()
  }
}

function absent(error: unknown): undefined {
  if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
  throw error
}

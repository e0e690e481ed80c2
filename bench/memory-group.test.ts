import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { UserError } from '../core/errors.ts'
import { type MemoryGroup, memoryGroup } from './memory-group.ts'

/** A group of 64 MB; undefined, with a note, where this machine lets none be made. */
function groupHere(): MemoryGroup | undefined {
  try {
    return memoryGroup(64e6, `pipeline-test-${process.pid}`)
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    console.warn(`Skipped: ${error.message}`)
    return undefined
  }
}

test.runIf(process.platform === 'linux')(
  'what is started in a group has its memory, and is ended beyond it',
  async () => {
    const group = groupHere()
    if (!group) return
    try {
      const run = (megabytes: number) => {
        const held = `const held = Buffer.alloc(${megabytes}e6, 1); process.stdout.write(String(held[5]))`
        return spawnSync(...group.command(process.execPath, ['--max-semi-space-size=1', '-e', held]))
      }
      expect(run(1).stdout.toString()).toBe('1')
      expect(group.ended()).toBe(0)
      expect(run(200).signal).toBe('SIGKILL')
      expect(group.ended()).toBe(1)
    } finally {
      await group.remove()
    }
  },
)

test.runIf(process.platform === 'linux')('a group is removed once its last process has ended', async () => {
  const group = groupHere()
  if (!group) return
  const lasting = spawn(...group.command('sh', ['-c', 'echo begun; sleep 0.3']), {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(lasting.stdout, 'data')
  await group.remove()
  expect(lasting.exitCode ?? (await once(lasting, 'exit'))[0]).toBe(0)
})

import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { endingConnection } from './ending-connection.ts'

test('a connection that waits to be made again ends when it is told to, and so does one made after it', async () => {
  const { Redis } = await import('ioredis')
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise(done => server.close(done))
  const first = endingConnection(new Redis(`redis://127.0.0.1:${port}`, { lazyConnect: true }))
  for (const connection of [first, first.duplicate()]) {
    connection.on('error', () => {})
    connection.connect().catch(() => {})
    await new Promise(done => connection.once('reconnecting', done))
    const ended = new Promise(done => connection.once('end', done))
    connection.disconnect()
    await ended
    expect(connection.status).toBe('end')
  }
})

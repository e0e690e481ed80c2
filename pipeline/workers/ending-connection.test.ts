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
  for (const made of [() => first, () => first.duplicate()]) {
    const connection = made().on('error', () => {})
    if (connection.status === 'wait') connection.connect().catch(() => {})
    await new Promise(done => connection.once('reconnecting', done))
    const ended = new Promise(done => connection.once('end', done))
    connection.disconnect()
    await ended
    expect(connection.status).toBe('end')
  }
})

test('a connection made after it, which its server ends as it begins, is made again before it is called ready', async () => {
  const { Redis } = await import('ioredis')
  const { RedisConnection } = await import('bullmq')
  let connections = 0
  const server = createServer(socket => {
    const isFirst = ++connections === 1
    socket.on('error', () => {})
    socket.on('data', data => {
      if (isFirst) socket.destroy()
      else for (const _ of data.toString().matchAll(/^\*\d+\r$/gm)) socket.write('+OK\r\n')
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const connection = endingConnection(new Redis(`redis://127.0.0.1:${port}`, { lazyConnect: true })).duplicate()
  connection.on('error', () => {})
  // What the library does with the connection of a worker; it keeps a failure of this for good.
  await RedisConnection.waitUntilReady(connection as never)
  expect({ status: connection.status, connections }).toEqual({ status: 'ready', connections: 2 })
  connection.disconnect()
  await once(connection, 'end')
  server.close()
})

/** A connection to Redis that outlives its server and can always be ended. */
import type { Redis } from 'ioredis'

/**
 * Returns a connection that does two things which it would not do by itself, as those do that are made after it:
 *
 * - It ends when it is told to while it waits to be made again. By itself it would never end then, nor connect: a worker whose server
 *   came back just as it gave up a wait took no more jobs, and could not be stopped.
 * - One made after it connects at once, not when it is first used. A first use that fails is what the queue's library keeps of a
 *   connection for good: a worker whose server ended while the worker began took no more jobs, and could not tell the end of its job.
 */
export function endingConnection(connection: Redis): Redis {
  const disconnect = connection.disconnect.bind(connection)
  const duplicate = connection.duplicate.bind(connection)
  connection.disconnect = (reconnect = false) => {
    // Ended at once, as one that has not been made yet is.
    if (!reconnect && connection.status === 'reconnecting') connection.status = 'wait'
    disconnect(reconnect)
  }
  connection.duplicate = more => endingConnection(duplicate({ ...more, lazyConnect: false }))
  return connection
}

/** A connection to Redis that can always be ended. */
import type { Redis } from 'ioredis'

/**
 * Makes a connection end when it is told to while it waits to be made again, as those do that are made after it, and returns it. By
 * itself it would never end then, nor connect: a worker whose server came back just as it gave up a wait took no more jobs, and could
 * not be stopped.
 */
export function endingConnection(connection: Redis): Redis {
  const disconnect = connection.disconnect.bind(connection)
  const duplicate = connection.duplicate.bind(connection)
  connection.disconnect = (reconnect = false) => {
    // Ended at once, as one that has not been made yet is.
    if (!reconnect && connection.status === 'reconnecting') connection.status = 'wait'
    disconnect(reconnect)
  }
  connection.duplicate = more => endingConnection(duplicate(more))
  return connection
}

import { partitionKeyOf } from '../../domain/partition.js'
import { RowMemory } from '../../sources/candle-rows.js'
import { CandleWriter } from './candle-writer.js'
import { convertPartition } from './convert-partition.js'
import { engineError, openSession } from './duckdb-session.js'
import { answerOfError, type ChildOptions, type EngineAnswer, type EngineRequest } from './engine-messages.js'
import { inspectObject } from './inspect-object.js'

/*
 * The process that a slot of the engine runs in. It answers one request at a time and ends with its parent: a killed
 * parent closes the channel, and whatever DuckDB is doing then is worth nothing. Ctrl-C reaches the whole process
 * group, but only the parent knows what is still to be drained.
 */
const options = JSON.parse(process.argv[2] ?? '{}') as ChildOptions

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined)
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))

const session = openSession(options).then((connection) => ({ connection, writer: new CandleWriter(connection) }))
session.catch(() => undefined)

const memory = new RowMemory()

process.on('message', (message: EngineRequest) => {
  void answer(message).then((reply) => process.send?.(reply))
})

async function answer(message: EngineRequest): Promise<EngineAnswer> {
  const partition = partitionKeyOf(message.request.partition)
  if (message.kind === 'convert' && partition === options.crashOn) process.abort()
  try {
    const { connection, writer } = await session
    const figures =
      message.kind === 'convert'
        ? await convertPartition(message.request, writer, memory)
        : await inspectObject(message.request, connection)
    return { ok: true, figures }
  } catch (thrown) {
    return answerOfError(engineError(thrown, `${message.kind} of ${partition}`))
  } finally {
    memory.release()
  }
}

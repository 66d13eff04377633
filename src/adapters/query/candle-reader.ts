import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'
import { PipelineError } from '../../domain/errors.js'
import type { Answer, CandleReader, Frame, QueryLimits } from '../../domain/ports/query-engine.js'
import { queryFailure } from './duckdb-failure.js'
import { answerOf } from './result-frames.js'
import { createEmpty, createView, openInstance, tablesOf } from './session.js'

/** SQL of this program in this process: no copy between processes, which costs more than reading. */
export function openCandleReader(limits: Omit<QueryLimits, 'timeoutSeconds'>): CandleReader {
  let opening: Promise<DuckDBInstance> | undefined
  const instance = (): Promise<DuckDBInstance> =>
    (opening ??= openInstance({ ...limits, timeoutSeconds: 0 }, { tempDir: null, external: true }))
  return {
    run: async ({ sql, views, timeoutSeconds, signal }) => {
      signal.throwIfAborted()
      const connection = await (await instance()).connect()
      const work = new Work(connection, timeoutSeconds, signal)
      return await work.guard(async () => {
        await connection.run(`SET TimeZone = 'UTC'`)
        for (const view of views) {
          const [table] = tablesOf(null, 'double').filter(({ dataset }) => dataset === view.dataset)
          if (view.paths.length > 0) await createView(connection, view)
          else if (table) await createEmpty(connection, table)
        }
        const result = await connection.stream(sql)
        const { columns, frames } = answerOf(result, () => result.fetchChunk())
        return { columns, frames: work.frames(frames) }
      })
    },
    close: async () => (await opening)?.closeSync(),
  }
}

/** One statement on a connection of its own, ended by an abort or by its time. */
class Work {
  readonly #connection: DuckDBConnection
  readonly #signal: AbortSignal
  readonly #late: AbortSignal
  readonly #interrupt = (): void => this.#connection.interrupt()

  constructor(connection: DuckDBConnection, timeoutSeconds: number, signal: AbortSignal) {
    this.#connection = connection
    this.#signal = signal
    this.#late = AbortSignal.timeout(timeoutSeconds * 1_000)
    for (const one of [signal, this.#late]) one.addEventListener('abort', this.#interrupt, { once: true })
  }

  async guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (thrown) {
      this.#end()
      this.#signal.throwIfAborted()
      if (this.#late.aborted)
        throw new PipelineError('QUERY_TIMEOUT', 'the question took longer than it may', { at: 'the query' }, thrown)
      throw queryFailure(thrown)
    }
  }

  async *frames(all: Answer['frames']): AsyncGenerator<Frame> {
    const steps = all[Symbol.asyncIterator]()
    try {
      for (;;) {
        const step = await this.guard(async () => {
          this.#signal.throwIfAborted()
          return await steps.next()
        })
        if (step.done === true) return
        yield step.value
      }
    } finally {
      this.#end()
    }
  }

  #end(): void {
    for (const one of [this.#signal, this.#late]) one.removeEventListener('abort', this.#interrupt)
    this.#connection.closeSync()
  }
}

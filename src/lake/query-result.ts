import { PipelineError } from '../domain/errors.js'
import type { ReadPath } from '../domain/ports/object-parts.js'
import type { Frame, ResultColumn } from '../domain/ports/query-engine.js'
import type { Batches } from './candle.js'
import { columnOf, rowsOf } from './result-rows.js'

/** What reading came to: see `Cost`. */
export type Figures = Record<'files' | 'requests' | 'bytesRead' | 'bytesSkipped' | 'cacheHits', number>

/** How an answer's bytes came, and why not by `httpfs`; null where nothing came over a network, or all by it. */
export type Path = { readonly path: ReadPath; readonly reason: string | null }

/**
 * What an answer cost: objects looked into, requests sent, bytes read of them, bytes of them that were not, objects of
 * which every wanted byte was cached, seconds from question to last row; and by which way the bytes came.
 */
export type Cost = Readonly<Figures> & Path & { readonly seconds: number }

/** A lake's keys stay out of the process that answers anybody's SQL. */
export const pathOf = (via: 'local' | 'range'): Path =>
  ({ path: via, reason: via === 'local' ? null : 'a lake is always read by ranges' })

export const NOTHING: Figures = { files: 0, requests: 0, bytesRead: 0, bytesSkipped: 0, cacheHits: 0 }

/** An answer that has begun. */
export type Begun = {
  readonly columns: readonly ResultColumn[]
  readonly frames: AsyncIterable<Frame>
  /** Asked for when the answer has been read or left. */
  readonly cost: Figures
  readonly path: Path
  close(): Promise<void>
}

/**
 * An answer, read once in one of four ways: in batches, as rows, as columns, as an Arrow stream. The question is asked
 * when the reading begins.
 */
export class QueryResult<R> implements Batches<R>, AsyncDisposable {
  readonly #begin: () => Promise<Begun>
  #begun: Promise<Begun> | null = null
  #taken = false
  #settle: (cost: Cost) => void = () => undefined
  #fail: (thrown: unknown) => void = () => undefined
  #startedMs = 0
  /** Settles when the answer has been read, or left; rejects as the question did. */
  readonly cost: Promise<Cost>

  constructor(begin: () => Promise<Begun>) {
    this.#begin = begin
    this.cost = new Promise((resolve, reject) => ([this.#settle, this.#fail] = [resolve, reject]))
    // Whoever reads the answer hears of its failure there.
    this.cost.catch(() => undefined)
  }

  /** Names and types of the columns; asks the question. */
  async schema(): Promise<readonly ResultColumn[]> {
    return (await this.#start()).columns
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<R[]> {
    const { columns } = await this.#start()
    for await (const frame of this.frames()) yield rowsOf(columns, frame) as R[]
  }

  /** Every row; an instant is bigint, microseconds since 1970 UTC. */
  async rows(): Promise<R[]> {
    const all: R[][] = []
    for await (const batch of this) all.push(batch)
    return all.length === 1 ? all[0]! : all.flat()
  }

  /** Every column as one array: Float64Array, Int32Array, BigInt64Array, or a plain one with nulls. */
  async columns(): Promise<{ [K in keyof R]: ArrayLike<R[K]> }> {
    const { columns } = await this.#start()
    const frames: Frame[] = []
    for await (const frame of this.frames()) frames.push(frame)
    const entries = columns.map(({ name, kind }, i) => [name, columnOf(kind, i, frames)] as const)
    return Object.fromEntries(entries) as { [K in keyof R]: ArrayLike<R[K]> }
  }

  /** One Arrow IPC stream in pieces: any Arrow reader takes their concatenation. */
  async *arrow(): AsyncGenerator<Uint8Array> {
    const { columns } = await this.#start()
    const { arrowStream } = await import('./arrow-stream.js')
    yield* arrowStream(columns, this.frames())
  }

  /** The answer as it came, by column. */
  async *frames(): AsyncGenerator<Frame> {
    const begun = await this.#start()
    if (this.#taken) throw new PipelineError('BAD_USAGE', 'an answer is read once', { do: 'ask again' })
    this.#taken = true
    try {
      yield* begun.frames
    } catch (thrown) {
      this.#fail(thrown)
      throw thrown
    } finally {
      await this.#end(begun)
    }
  }

  /** Leaves the answer; one that nobody asked for has cost nothing. */
  async close(): Promise<void> {
    const begun = await this.#begun?.catch(() => null)
    if (begun) await this.#end(begun)
    else this.#settle({ ...NOTHING, path: 'local', reason: null, seconds: 0 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #start(): Promise<Begun> {
    if (this.#begun === null) this.#startedMs = performance.now()
    return (this.#begun ??= this.#begin().catch((thrown: unknown) => {
      this.#fail(thrown)
      throw thrown
    }))
  }

  async #end(begun: Begun): Promise<void> {
    this.#settle({ ...begun.cost, ...begun.path, seconds: (performance.now() - this.#startedMs) / 1_000 })
    await begun.close()
  }
}

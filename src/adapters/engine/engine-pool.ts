import { rm } from 'node:fs/promises'
import { PipelineError } from '../../domain/errors.js'
import type { ConvertFigures, InspectFigures } from '../../domain/figures.js'
import type { CandleEngine } from '../../domain/ports/engine.js'
import { partialOf } from './convert-partition.js'
import type { ChildOptions, EngineRequest } from './engine-messages.js'
import { EngineProcess, unavailable } from './engine-process.js'

export type EngineOptions = {
  /** Requests at once, each in a process of its own. */
  readonly slots: number
  /** DuckDB's memory and spill limits of one slot, bytes. */
  readonly memoryBytes: number
  readonly tempBytes: number
  readonly threads?: number
  /** For fault tests: a process that is asked to convert this partition (`spot-klines/BTCUSDT/1h/2024-01`) aborts. */
  readonly crashOn?: string
}

/** A `CandleEngine` and the ids of its living processes, which tests and `doctor` look at. */
export type EnginePool = CandleEngine & { readonly pids: readonly number[] }

/** An engine whose processes start when they are first needed and are replaced when they die. Close it to end them. */
export function openEngine(options: EngineOptions): EnginePool {
  return new Pool(options)
}

const closed = (): PipelineError => new PipelineError('ENGINE_FAILED', 'the engine is closed')

class Pool implements EnginePool {
  readonly #slots: number
  readonly #options: ChildOptions
  readonly #idle: EngineProcess[] = []
  readonly #busy = new Set<EngineProcess>()
  readonly #waiting: (() => void)[] = []
  #running = 0
  #closed = false

  constructor({ slots, memoryBytes, tempBytes, threads = 1, crashOn }: EngineOptions) {
    this.#slots = slots
    this.#options = { memoryBytes, tempBytes, threads, crashOn: crashOn ?? null }
  }

  get pids(): readonly number[] {
    return [...this.#idle, ...this.#busy].filter((child) => child.alive).flatMap((child) => child.pid ?? [])
  }

  async convert(request: Parameters<CandleEngine['convert']>[0], signal: AbortSignal): Promise<ConvertFigures> {
    try {
      return (await this.#ask({ kind: 'convert', request }, signal)) as ConvertFigures
    } catch (thrown) {
      // The first error says more than one of this disk again.
      await rm(partialOf(request.outPath), { force: true }).catch(() => undefined)
      throw thrown
    }
  }

  async inspect(request: Parameters<CandleEngine['inspect']>[0], signal: AbortSignal): Promise<InspectFigures> {
    return (await this.#ask({ kind: 'inspect', request }, signal)) as InspectFigures
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const start of this.#waiting.splice(0)) start()
    await Promise.all([...this.#idle.splice(0), ...this.#busy].map((child) => child.close()))
  }

  async #ask(message: EngineRequest, signal: AbortSignal): Promise<ConvertFigures | InspectFigures> {
    await this.#turn(signal)
    let child: EngineProcess | null = null
    try {
      if (!this.#closed) child = this.#take()
      if (child) return await child.ask(message, signal)
      throw closed()
    } catch (thrown) {
      // A process that the pool itself ended must not count as a crash of the partition.
      throw this.#closed && thrown instanceof PipelineError && thrown.code === 'ENGINE_CRASHED' ? closed() : thrown
    } finally {
      if (child) this.#giveBack(child)
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }

  /** Waits for a free slot; a slot goes straight from the one that ends to the one that waited longest. */
  async #turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (!this.#closed && this.#running >= this.#slots) await this.#queued(signal)
    else this.#running++
  }

  async #queued(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const start = () => {
        signal.removeEventListener('abort', give)
        resolve()
      }
      const give = () => {
        this.#waiting.splice(this.#waiting.indexOf(start), 1)
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', give, { once: true })
      this.#waiting.push(start)
    })
  }

  #giveBack(child: EngineProcess): void {
    this.#busy.delete(child)
    if (child.alive && !this.#closed) this.#idle.push(child)
  }

  #take(): EngineProcess {
    let child = this.#idle.pop()
    while (child && !child.alive) child = this.#idle.pop()
    child ??= started(this.#options)
    this.#busy.add(child)
    return child
  }
}

function started(options: ChildOptions): EngineProcess {
  try {
    return new EngineProcess(options)
  } catch (thrown) {
    throw unavailable(thrown)
  }
}

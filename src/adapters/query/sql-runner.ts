import { fork, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PipelineError } from '../../domain/errors.js'
import type { Answer, FileView, Frame, QueryLimits, SqlQuestion, SqlRunner } from '../../domain/ports/query-engine.js'
import { errorOf, type Asked, type Told } from './sql-messages.js'

const ENTRY = fileURLToPath(new URL('./sql-child.js', import.meta.url))
const COMPLAINT_MAX = 500

/** Questions in SQL, each in a process of its own: one that crashes, hangs or takes all memory costs itself only. */
export function openSqlRunner(): SqlRunner {
  return {
    ask: async ({ sql, params, numericType, files, limits, signal }) => {
      signal.throwIfAborted()
      const child = await QuestionProcess.start(limits, signal)
      try {
        const planned = await child.ask({ kind: 'plan', sql, params, numericType, files }, 'planned')
        return new Question(child, planned)
      } catch (thrown) {
        await child.close()
        throw thrown
      }
    },
  }
}

class Question implements SqlQuestion {
  readonly scans: SqlQuestion['scans']
  readonly wanted: SqlQuestion['wanted']
  fetched: SqlQuestion['fetched'] = { requests: 0, bytesRead: 0 }
  readonly #process: QuestionProcess
  #isCounted = false

  constructor(process: QuestionProcess, { scans, wanted }: Pick<SqlQuestion, 'scans' | 'wanted'>) {
    this.#process = process
    this.scans = scans
    this.wanted = wanted
  }

  async loadHttpfs(extensionDir: string): Promise<string | null> {
    const { problem } = await this.#process.ask({ kind: 'httpfs', extensionDir }, 'loaded')
    this.#isCounted = problem === null
    return problem
  }

  async answer(views: readonly FileView[]): Promise<Answer> {
    const { columns } = await this.#process.ask({ kind: 'run', views }, 'columns')
    return { columns, frames: this.#frames() }
  }

  async *#frames(): AsyncGenerator<Frame> {
    let failed = true
    try {
      for (;;) {
        const { frame } = await this.#process.ask({ kind: 'next' }, 'frame')
        failed = false
        if (frame === null) return
        yield frame
        failed = true
      }
    } finally {
      if (this.#isCounted && !failed) this.fetched = await this.#process.ask({ kind: 'fetched' }, 'sum')
      await this.close()
    }
  }

  async close(): Promise<void> {
    await this.#process.close()
  }
}

/** Gets no environment but the time zone: it reads what anybody wrote. */
class QuestionProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<PipelineError>
  #end: PipelineError | null = null
  #onEnd: (end: PipelineError) => void = () => undefined
  readonly #tempDir: string
  readonly #signal: AbortSignal
  readonly #onAbort = (): void => void this.#child.kill('SIGKILL')
  /** Of its own work: time in which nobody asks it anything does not count. */
  #leftMs: number
  #complaint = ''

  private constructor(limits: QueryLimits, tempDir: string, signal: AbortSignal) {
    this.#leftMs = limits.timeoutSeconds * 1_000
    this.#tempDir = tempDir
    this.#signal = signal
    this.#child = fork(ENTRY, [JSON.stringify({ limits, tempDir })], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { TZ: 'UTC', LC_ALL: 'C' },
      execArgv: [],
      cwd: tempDir,
    })
    this.#child.stderr?.on('data', (piece: Buffer) => {
      this.#complaint = (this.#complaint + piece.toString()).slice(-COMPLAINT_MAX)
    })
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(crashed(error.message, this.#complaint)))
      this.#child.once('exit', (code, by) => resolve(crashed(by ?? `exit code ${code ?? 'none'}`, this.#complaint)))
    })
    void this.#ended.then((end) => this.#onEnd((this.#end = end)))
    signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  static async start(limits: QueryLimits, signal: AbortSignal): Promise<QuestionProcess> {
    return new QuestionProcess(limits, await mkdtemp(join(tmpdir(), 'candlelake-query-')), signal)
  }

  async ask<K extends Told['kind']>(asked: Asked, kind: K): Promise<Extract<Told, { kind: K }>> {
    const startedMs = performance.now()
    let onTold: (told: Told) => void = () => undefined
    let timer: NodeJS.Timeout | undefined
    // A race with `#ended` would keep every frame that ever won it, for as long as the process lives.
    const first = new Promise<Told | PipelineError>((resolve) => {
      onTold = resolve
      this.#onEnd = resolve
      timer = setTimeout(() => resolve(timedOut()), Math.max(0, this.#leftMs))
      if (this.#end) resolve(this.#end)
    })
    this.#child.once('message', onTold)
    try {
      if (this.#child.connected) this.#child.send(asked, () => undefined)
      const outcome = await first
      this.#signal.throwIfAborted()
      if (outcome instanceof PipelineError) throw outcome
      if (outcome.kind === 'failed') throw errorOf(outcome)
      if (outcome.kind !== kind) throw new PipelineError('UNEXPECTED', `${outcome.kind} came in place of ${kind}`)
      return outcome as Extract<Told, { kind: K }>
    } finally {
      clearTimeout(timer)
      this.#child.off('message', onTold)
      this.#onEnd = () => undefined
      this.#leftMs -= performance.now() - startedMs
    }
  }

  async close(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#child.kill('SIGKILL')
    await this.#ended
    await rm(this.#tempDir, { recursive: true, force: true })
  }
}

const timedOut = (): PipelineError =>
  new PipelineError('QUERY_TIMEOUT', 'the question took longer than it may', {
    at: 'the query',
    do: 'ask for less, or raise QUERY_TIMEOUT_SECONDS',
  })

function crashed(how: string, complaint: string): PipelineError {
  // Whoever kills a process from outside does so for its memory.
  if (how === 'SIGKILL')
    return new PipelineError('QUERY_MEMORY', 'the question was ended from outside', { at: 'the query' })
  return new PipelineError('ENGINE_CRASHED', `the question ended with ${how}`, {
    complaint: complaint.trim() || null,
  })
}

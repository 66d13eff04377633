import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { remedyOf } from '../../domain/disk-failure.js'
import { errnoOf } from '../../domain/errno.js'
import { PipelineError } from '../../domain/errors.js'
import type { ConvertFigures, InspectFigures } from '../../domain/figures.js'
import { errorOfAnswer, type ChildOptions, type EngineAnswer, type EngineRequest } from './engine-messages.js'

const ENTRY = fileURLToPath(new URL('./engine-child.js', import.meta.url))
/** Collecting garbage on other threads took a tenth more CPU, which another slot can use. */
const FLAGS = ['--single-threaded-gc']
const COMPLAINT_MAX = 2_000

/** How a child ended. */
type End = {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly complaint: string
  /** It never began. */
  readonly unborn?: Error
}

/**
 * One child process and the one request it may have. It keeps this process alive only while it works, and gets no
 * environment but the time zone, so that no secret of ours is in a process that reads files from outside.
 */
export class EngineProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<End>
  #complaint = ''
  alive = true

  constructor(options: ChildOptions) {
    this.#child = fork(ENTRY, [JSON.stringify(options)], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { TZ: 'UTC', LC_ALL: 'C' },
      execArgv: FLAGS,
    })
    this.#child.stderr?.on('data', (piece: Buffer) => {
      this.#complaint = (this.#complaint + piece.toString()).slice(-COMPLAINT_MAX)
    })
    this.#ended = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null, unborn?: Error) => {
        this.alive = false
        resolve({ code, signal, complaint: this.#complaint, ...(unborn ? { unborn } : {}) })
      }
      this.#child.once('exit', end)
      this.#child.on('error', (error) => {
        this.#complaint += error.message
        if (this.#child.pid === undefined) end(null, null, error)
      })
    })
    this.#hold(false)
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /**
   * The answer to one request. An abort kills the child, and rejects once it is gone: it then writes no more.
   * @throws {ENGINE_CRASHED} with the exit code or the signal; whatever the child answers
   */
  async ask(message: EngineRequest, signal: AbortSignal): Promise<ConvertFigures | InspectFigures> {
    const onAbort = () => {
      this.alive = false
      this.#child.kill('SIGKILL')
    }
    let onAnswer: (answer: EngineAnswer) => void = () => undefined
    const answered = new Promise<EngineAnswer>((resolve) => (onAnswer = resolve))
    signal.throwIfAborted()
    this.#hold(true)
    this.#child.once('message', onAnswer)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      // A process that never began has no `send`.
      if (this.alive && this.#child.pid !== undefined) this.#child.send(message, () => undefined)
      const answer = await Promise.race([answered, this.#ended])
      if ('code' in answer) {
        signal.throwIfAborted()
        throw crashed(answer)
      }
      if (!answer.ok) throw errorOfAnswer(answer.error)
      return answer.figures
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#child.off('message', onAnswer)
      this.#hold(false)
    }
  }

  /** Ends the child, and waits until it has ended. */
  async close(): Promise<void> {
    this.#hold(true)
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  #hold(busy: boolean): void {
    const act = busy ? 'ref' : 'unref'
    this.#child[act]()
    if (this.#child.connected) this.#child.channel?.[act]()
    const stderr = this.#child.stderr as { ref?: () => void; unref?: () => void } | null
    stderr?.[act]?.()
  }
}

function crashed({ code, signal, complaint, unborn }: End): PipelineError {
  if (unborn) return unavailable(unborn)
  const how = signal === null ? `exit code ${code ?? 'none'}` : signal
  const facts = { exitCode: code, signal, complaint: complaint.trim().slice(0, 500) || null }
  return new PipelineError('ENGINE_CRASHED', `the engine process ended with ${how}`, facts)
}

/** No process, no partition in it: the machine is out of something, and the work waits. */
export function unavailable(thrown: unknown): PipelineError {
  const errno = errnoOf(thrown) ?? 'unknown'
  const facts = { errno, do: remedyOf(errno) ?? 'look whether this machine can start processes' }
  return new PipelineError('ENGINE_UNAVAILABLE', `no engine process can be started (${errno})`, facts, thrown)
}

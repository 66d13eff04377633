import { PipelineError } from '../domain/errors.js'
import type { StartedJob } from './stage.js'

/** A job that runs in this process. `since` is milliseconds since 1970. */
export type ActiveJob = { readonly job: StartedJob; readonly since: number }

/** Why a job's signal fired: `lost` is a lock that somebody else may have now, `shutdown` hands the job back. */
export type Stopped = 'lost' | 'shutdown' | 'cancelled'

const SAYS: Readonly<Record<Stopped, string>> = {
  lost: 'the lock on this job was lost: another worker may have it',
  shutdown: 'the worker is shutting down',
  cancelled: 'the job was cancelled',
}

/** One start of a job here, with the signal that its stage listens to. */
export class Running implements ActiveJob {
  readonly since = Date.now()
  readonly job: StartedJob
  readonly #controller = new AbortController()
  #stopped: Stopped | null = null

  constructor(job: StartedJob) {
    this.job = job
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Why it was stopped first; null while it may go on. */
  get stopped(): Stopped | null {
    return this.#stopped
  }

  stop(why: Stopped): void {
    if (this.#stopped !== null) return
    this.#stopped = why
    this.#controller.abort(new PipelineError('INTERRUPTED', SAYS[why]))
  }
}

/** The jobs that run in this process, by their id in the queue. */
export class RunningJobs {
  readonly #byId = new Map<string, Running>()

  get all(): readonly Running[] {
    return [...this.#byId.values()]
  }

  get(id: string): Running | null {
    return this.#byId.get(id) ?? null
  }

  add(id: string, running: Running): void {
    this.#byId.set(id, running)
  }

  remove(id: string): void {
    this.#byId.delete(id)
  }
}

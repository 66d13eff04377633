import { setTimeout as sleep } from 'node:timers/promises'

/**
 * So many jobs in a row, with none that worked between them, are a service that is away; one may be that job's own
 * trouble.
 */
const REFUSALS = 2

/** A wait is cut into pieces, so that a worker that waits is seen to live. */
const LONGEST_WAIT_MS = 1_000

/** BullMQ asks again at once after a no, in a circle that lets nothing else run. */
const ASK_AGAIN_MS = 50

/**
 * Holds back a stage in this process while infrastructure says no: without it every one of 10,000 waiting jobs would be
 * tried, and delayed, in turn. After a refusal the pause lasts as long as the refused job waits; then one job is let
 * in, and the others follow when it worked. It resumes by itself; other processes and stages have gates of their own.
 */
export class StageGate {
  #refusals = 0
  /** Milliseconds since 1970; null while the gate is open. */
  #closedUntil: number | null = null
  /** The one job that was let in since, or `fetching` while it is being fetched. */
  #probe: object | 'fetching' | null = null
  readonly #inHand = new Set<object>()
  #interrupt = new AbortController()

  get isOpen(): boolean {
    return this.#closedUntil === null
  }

  /**
   * Whether a job may be fetched. With nothing in hand it waits for the answer yes, as long as `goesOn`; with something
   * in hand the answer is no, and soon, since whoever asks has those jobs to look after.
   */
  async admits(goesOn: () => boolean, onWait: () => void): Promise<boolean> {
    while (goesOn()) {
      if (this.#closedUntil === null) return true
      const left = this.#closedUntil - Date.now()
      if (left <= 0 && this.#probe === null) {
        this.#probe = 'fetching'
        return true
      }
      onWait()
      if (this.#inHand.size > 0) {
        await this.#wait(ASK_AGAIN_MS)
        return false
      }
      await this.#wait(Math.min(LONGEST_WAIT_MS, Math.max(1, left)))
    }
    return false
  }

  async #wait(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#interrupt.signal }).catch(() => undefined)
  }

  /** What was fetched, null for nothing. */
  fetched(job: object | null): void {
    if (job !== null) this.#inHand.add(job)
    if (this.#probe === 'fetching') this.#probe = job
  }

  /** Whatever became of a job, it is out of hand. */
  ended(job: object): void {
    this.#inHand.delete(job)
    if (this.#probe === job) this.#probe = null
  }

  /** Infrastructure said no, and the job waits for `ms` milliseconds. */
  refused(ms: number): void {
    if (++this.#refusals < REFUSALS) return
    this.#closedUntil = Math.max(this.#closedUntil ?? 0, Date.now() + ms)
  }

  /** A job came to an end of its own: what it needed is there. */
  worked(): void {
    this.#refusals = 0
    this.#closedUntil = null
  }

  /** Ends a wait, for whoever `goesOn` no longer. */
  interrupt(): void {
    this.#interrupt.abort()
    this.#interrupt = new AbortController()
  }
}

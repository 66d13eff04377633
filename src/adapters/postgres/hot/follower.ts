import { setTimeout as sleep } from 'node:timers/promises'
import { cursorText, type FeedCursor } from '../../../domain/feed-cursor.js'
import { asPipelineError, policyOf } from '../../../domain/errors.js'
import type { TimeRange } from '../../../domain/month.js'
import { seriesKeyOf, type Series } from '../../../domain/partition.js'
import type {
  FeedCandle, FeedEvent, FeedListener, SubscribeOptions, Subscription,
} from '../../../domain/ports/hot-feed.js'
import type { Asked, Page } from './feed-reader.js'

export type FollowerOptions = {
  readonly series: Series
  readonly listener: FeedListener
  readonly read: (asked: Asked) => Promise<Page>
  readonly onState: SubscribeOptions['onState']
  readonly onEnd: () => Promise<void>
}

/** A change of the series, and the range of open times that its rows lie in. */
export type Note = { readonly change: number; readonly range: TimeRange }

const PAUSE_MS = 200
/** Rows that come one by one are fetched some at a time: 1,000 a second would else be as many statements. */
const GATHER_MS = 20
/** Beyond so many notes the days are asked instead; more would only take memory. */
const NOTES_KEPT = 1_000

/** One subscription: follows the changes of a series at its listener's pace, by their numbers. */
export class Follower implements Subscription {
  readonly key: string
  readonly series: Series
  readonly ended: Promise<unknown>
  readonly #o: FollowerOptions
  readonly #stopped = new AbortController()
  #end: (why: unknown) => void = () => undefined
  #cursor: FeedCursor = { change: 0, openTimeUs: null }
  /** The latest change that is known to be committed. */
  #head = 0
  #notes: Note[] = []
  #first: FeedEvent[] = []
  #healing: { readonly sinceMs: number | null; rows: number; done: boolean } | null = null
  #started = false
  #steppedMs = 0
  #pumping: Promise<void> | null = null
  #ending: Promise<void> | null = null

  constructor(o: FollowerOptions) {
    this.#o = o
    this.series = o.series
    this.key = seriesKeyOf(o.series)
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  get cursor(): string {
    return cursorText(this.#cursor)
  }

  /** Begins at a cursor, or at `head`, with these rows before. */
  start(head: number, after: FeedCursor | null, rows: readonly FeedCandle[]): void {
    const now = { change: head, openTimeUs: null }
    const isAhead = after !== null && after.change > head
    this.#cursor = after === null || isAhead ? now : after
    this.#head = Math.max(this.#head, head)
    if (isAhead) this.#first.push({ type: 'restarted', cursor: cursorText(now) })
    if (rows.length > 0) this.#first.push({ type: 'candles', candles: rows, cursor: cursorText(now) })
    if (after !== null && !isAhead) this.#healing = { sinceMs: null, rows: 0, done: true }
    this.#started = true
    this.#wake()
  }

  noted(note: Note): void {
    this.#head = Math.max(this.#head, note.change)
    this.#notes.push(note)
    if (this.#notes.length > NOTES_KEPT) this.#notes = []
    this.#wake()
  }

  /** The latest change it knows of: what an answer to a question asked from now on is measured by. */
  get head(): number {
    return this.#head
  }

  interrupted(sinceMs: number): void {
    this.#notes = []
    this.#healing = { sinceMs: this.#healing?.sinceMs ?? sinceMs, rows: this.#healing?.rows ?? 0, done: false }
    this.#say('away')
  }

  /**
   * Notifications come again; `head` is where the series was when asked, `known` what this follower had known before
   * that: a change that is told of while the answer is on its way makes no other database.
   */
  resumed(head: number, known: number): void {
    if (!this.#started) return this.#resumedEarly(head)
    const told = this.#notes.reduce((most, { change }) => Math.max(most, change), head)
    if (head < known) {
      this.#first.push({ type: 'restarted', cursor: String(head) })
      this.#cursor = { change: head, openTimeUs: null }
      this.#head = told
    } else {
      this.#head = Math.max(this.#head, told)
    }
    if (this.#healing) this.#healing.done = true
    this.#say('live')
    this.#wake()
  }

  /** It begins by a look of its own, so there is nothing to heal. */
  #resumedEarly(head: number): void {
    this.#head = Math.max(this.#head, head)
    if (this.#healing) this.#say('live')
    this.#healing = null
  }

  /** The connection that says so is everybody's: what is thrown here ends this subscription, and no other. */
  #say(state: 'live' | 'away'): void {
    try {
      this.#o.onState?.(state)
    } catch (thrown) {
      void this.#finish(thrown)
    }
  }

  close(): Promise<void> {
    return this.#finish(null)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #finish(why: unknown): Promise<void> {
    this.#stopped.abort()
    return (this.#ending ??= this.#o.onEnd().finally(() => this.#end(why)))
  }

  #wake(): void {
    if (!this.#started || this.#stopped.signal.aborted) return
    this.#pumping ??= this.#pump().catch((thrown: unknown) => void this.#finish(thrown)).finally(() => {
      this.#pumping = null
      if (this.#hasWork) this.#wake()
    })
  }

  get #hasWork(): boolean {
    if (this.#stopped.signal.aborted) return false
    return this.#first.length > 0 || this.#behind || this.#healing?.done === true
  }

  get #behind(): boolean {
    return this.#head > this.#cursor.change || this.#cursor.openTimeUs !== null
  }

  async #pump(): Promise<void> {
    while (this.#hasWork) {
      const first = this.#first.shift()
      if (first) await this.#tell(first)
      else if (this.#behind) await this.#step()
      else await this.#healed()
    }
  }

  async #healed(): Promise<void> {
    const healing = this.#healing
    this.#healing = null
    if (healing === null) return
    const awayMs = healing.sinceMs === null ? null : Date.now() - healing.sinceMs
    await this.#tell({ type: 'healed', awayMs, rows: healing.rows, cursor: this.cursor })
  }

  async #step(): Promise<void> {
    const waitMs = this.#steppedMs + GATHER_MS - performance.now()
    if (waitMs > 0) await sleep(waitMs)
    this.#steppedMs = performance.now()
    const page = await this.#read()
    if (page === null || this.#stopped.signal.aborted) return
    const before = this.#cursor
    if (page.candles.length > 0) {
      if (this.#healing) this.#healing.rows += page.candles.length
      await this.#tell({ type: 'candles', candles: page.candles, cursor: cursorText(page.cursor) })
    }
    // Unless the listener's time was long enough for the database to become another one.
    if (before === this.#cursor) this.#cursor = page.cursor
  }

  /** Null when the database is away: it comes back, and whoever waits for notifications will say so. */
  async #read(): Promise<Page | null> {
    const [after, upTo] = [this.#cursor, Math.max(this.#head, this.#cursor.change)]
    try {
      return await this.#o.read({ series: this.series, after, upTo, range: this.#rangeOf(after, upTo) })
    } catch (thrown) {
      if (policyOf(asPipelineError(thrown).code).infrastructure !== true) throw thrown
      await sleep(PAUSE_MS, undefined, { signal: this.#stopped.signal }).catch(() => undefined)
      return null
    }
  }

  /** What the notes say of where these changes lie; null where a note is missing. */
  #rangeOf(after: FeedCursor, upTo: number): TimeRange | null {
    this.#notes = this.#notes.filter(({ change }) => change > after.change)
    const [first, ...more] = this.#notes.filter(({ change }) => change <= upTo)
    if (first === undefined || after.openTimeUs !== null || more.length + 1 !== upTo - after.change) return null
    return more.reduce(({ fromUs, toUs }, { range }) => ({
      fromUs: range.fromUs < fromUs ? range.fromUs : fromUs, toUs: range.toUs > toUs ? range.toUs : toUs,
    }), first.range)
  }

  async #tell(event: FeedEvent): Promise<void> {
    if (!this.#stopped.signal.aborted) await this.#o.listener(event)
  }
}

import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { asPipelineError, PipelineError } from '../../../domain/errors.js'
import type { Log } from '../../../domain/ports/observe.js'
import { catalogError, type Whereabouts } from '../failure.js'

export type LinkOptions = {
  readonly connection: pg.PoolConfig | string
  readonly applicationName: string
  readonly where: Whereabouts
  readonly channel: string
  readonly pool: pg.Pool
  readonly log?: Log | undefined
  /** A payload that somebody sent. */
  readonly onNote: (payload: string) => void
  /** Notifications come (again); nothing that is sent from now on is missed. What it throws breaks the link. */
  readonly onUp: () => Promise<void>
  /** They may have been missed since then, ms. */
  readonly onDown: (sinceMs: number) => void
}

const CONNECT_MS = 5_000
/** How long our own echo may take; longer is a connection that is dead or brings no notifications. */
const ECHO_MS = 5_000
const ECHO_EVERY_MS = 5_000
const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 1_000

const ECHO = 'echo '

/** Notifications come until `lost` resolves, with the ms since which they may have been missed. */
type Connected = { readonly lost: Promise<number> }

/**
 * The one connection of a process that listens. It tells itself something at the start and every 5 s, by another
 * connection: a pooler in transaction mode accepts LISTEN and brings nothing, and a connection that a firewall forgot
 * looks like one on which nothing happens.
 */
export class ListenLink {
  readonly #o: LinkOptions
  readonly #stopped = new AbortController()
  #client: pg.Client | null = null
  #echo: { readonly text: string; readonly heard: () => void } | null = null
  #keeping: Promise<void> | null = null

  constructor(o: LinkOptions) {
    this.#o = o
  }

  /** Connects, and from then on connects again by itself. @throws {BAD_CONFIG, CATALOG_UNREACHABLE} */
  async start(): Promise<void> {
    this.#keeping = this.#keep(await this.#connect())
  }

  async close(): Promise<void> {
    this.#stopped.abort()
    await this.#drop()
    await this.#keeping
    // What it was connecting meanwhile.
    await this.#drop()
  }

  async #keep(first: Connected): Promise<void> {
    const { signal } = this.#stopped
    for (let connected = first, failures = 0; !signal.aborted;) {
      if (failures === 0) {
        const sinceMs = await connected.lost
        if (signal.aborted) return
        this.#o.onDown(sinceMs)
        await this.#drop()
      }
      try {
        connected = await this.#connect()
        failures = 0
      } catch (thrown) {
        const { code, message } = asPipelineError(thrown)
        if (failures === 0) this.#o.log?.warn('feed.connection_lost', { code, message })
        const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures++)
        await sleep(pause, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  async #connect(): Promise<Connected> {
    const { connection, applicationName: application_name, where, channel, onNote, onUp } = this.#o
    const given = typeof connection === 'string' ? { connectionString: connection } : connection
    const client = new pg.Client({
      ...given, application_name, connectionTimeoutMillis: CONNECT_MS, query_timeout: ECHO_MS, keepAlive: true,
    })
    const lost = new Promise<number>((resolve) => {
      client.on('error', () => resolve(Date.now()))
      client.on('end', () => resolve(Date.now()))
    })
    client.on('notification', ({ payload = '' }) => {
      if (!payload.startsWith(ECHO)) onNote(payload)
      else if (payload === this.#echo?.text) this.#echo.heard()
    })
    this.#client = client
    try {
      await client.connect()
      await client.query(`listen ${pg.escapeIdentifier(channel)}`)
      if (!(await this.#echoes())) throw silent(where)
      await onUp()
    } catch (thrown) {
      await this.#drop()
      throw catalogError(thrown, where, true)
    }
    return { lost: Promise.race([lost, this.#falls()]) }
  }

  /** Resolves when an echo fails to come, with the time of the last one that came. */
  async #falls(): Promise<number> {
    const client = this.#client
    const { signal } = this.#stopped
    for (let heardMs = Date.now(); ; heardMs = Date.now()) {
      await sleep(ECHO_EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined)
      // Its connection may be another one by now, whose echo is not to be taken away.
      if (signal.aborted || client !== this.#client || !(await this.#echoes().catch(() => false))) return heardMs
    }
  }

  async #echoes(): Promise<boolean> {
    const { pool, channel } = this.#o
    const text = `${ECHO}${randomBytes(8).toString('hex')}`
    const timer = new AbortController()
    const heard = new Promise<true>((resolve) => {
      this.#echo = { text, heard: () => resolve(true) }
    })
    // The pool's own connections may have died with this one, and its own limit is made for statements that work.
    const said = { text: 'select pg_notify($1, $2)', values: [channel, text], query_timeout: ECHO_MS }
    try {
      await pool.query(said)
      return await Promise.race([heard, sleep(ECHO_MS, false as const, { signal: timer.signal })])
    } finally {
      timer.abort()
    }
  }

  async #drop(): Promise<void> {
    const client = this.#client
    this.#client = null
    // A server that is gone does not say goodbye.
    await Promise.race([client?.end().catch(() => undefined), sleep(500, undefined, { ref: false })])
  }
}

const silent = ({ at }: Whereabouts): PipelineError =>
  new PipelineError('BAD_CONFIG', 'notifications do not arrive: a pooler in transaction mode is in between', {
    at, do: 'set DATABASE_URL to a direct connection, or to a pooler in session mode (Supabase: port 5432)',
  })

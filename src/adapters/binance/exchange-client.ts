import { setTimeout as sleep } from 'node:timers/promises'
import { clip } from '../../domain/dataset.js'
import { PipelineError } from '../../domain/errors.js'
import type { HotCandle } from '../../domain/hot-candle.js'
import { US_PER_MS } from '../../domain/month.js'
import { seriesKeyOf, type Series } from '../../domain/partition.js'
import type { Exchange, ExchangePage } from '../../domain/ports/exchange.js'
import type { ExchangeAnswer } from '../../domain/ports/observe.js'
import { exchangeFailure, unreadable, unreachable } from './exchange-failure.js'
import { heard } from './exchange-heard.js'
import { klineRowOf } from './exchange-kline.js'
import { openHttp, type Http } from './http.js'
import type { HttpOptions } from './http-options.js'
import { retryAfterMs } from './http-status.js'

export type ExchangeOptions = HttpOptions & {
  /** `https://data-api.binance.vision`. */
  readonly exchangeUrl: string
  /** A pause that the exchange asks for is waited out up to so long, else told. Default: two minutes. */
  readonly patienceMs?: number
  /** Hears of every request that was sent. */
  readonly onAnswer?: (answer: ExchangeAnswer) => void
}

const LIMIT = 1_000
const BODY_BYTES = 4 * 1_048_576
/** Of 6,000 a minute and address: others may ask from the same one. */
const WEIGHT_MOST = 4_800
const MINUTE_MS = 60_000
const PATIENCE_MS = 120_000
const TRIES = 4
/** The exchange still works on a candle for a moment after its end: what it says then may lack the last trades. */
const SETTLES_US = 2_000_000n
/** Bans last up to three days. */
const LONGEST_BAN_MS = 7 * 86_400_000
const ANSWERS = [400, 403, 404, 418, 429, 451, 500, 502, 503, 504]

type Answer = { readonly value: unknown; readonly dateMs: number | null }

/** A client of the exchange's public candles, spot. What it says to one request holds for all. @throws {BAD_CONFIG} */
export function openExchange(o: ExchangeOptions): Exchange & { close(): Promise<void> } {
  const http = heard(openHttp(o.exchangeUrl, o), WEIGHT_MOST, (answer) => o.onAnswer?.(answer))
  const gate = new Gate(http.origin, o.patienceMs ?? PATIENCE_MS)
  return {
    nowUs: async (signal) => {
      const { value } = await ask(http, gate, '/api/v3/time', signal)
      const ms = typeof value === 'object' && value !== null && 'serverTime' in value ? value.serverTime : null
      if (typeof ms !== 'number' || !Number.isSafeInteger(ms)) throw unreadable(http.origin, 'no time')
      return BigInt(ms) * US_PER_MS
    },
    candles: async ({ series, fromUs, signal }) => {
      const query = new URLSearchParams({
        symbol: spotSymbolOf(series), interval: series.interval === '1mo' ? '1M' : series.interval,
        startTime: String((fromUs + US_PER_MS - 1n) / US_PER_MS), limit: String(LIMIT),
      })
      return pageOf(await ask(http, gate, `/api/v3/klines?${query.toString()}`, signal), http.origin)
    },
    close: () => http.close(),
  }
}

function spotSymbolOf(series: Series): string {
  if (series.dataset === 'spot-klines') return series.symbol
  throw new PipelineError('BAD_MARKET', 'only spot candles are read from the exchange', {
    at: seriesKeyOf(series), do: 'leave it out; its months come from the archive',
  })
}

/**
 * A candle has closed when the exchange's clock, as the answer's Date has it to the second below, is two seconds past its
 * close: our own clock may be ahead. Without a Date the last candle counts as open.
 */
function pageOf({ value, dateMs }: Answer, origin: string): ExchangePage {
  if (!Array.isArray(value)) throw unreadable(origin, 'no candles')
  const given = value.map((row) => klineRowOf(row) ?? refuse(row, origin))
  const rows = [...new Map(given.map((row) => [row.openTimeUs, row])).values()].sort(byOpenTime)
  const isClosed = ({ closeTimeUs }: HotCandle, i: number): boolean =>
    dateMs === null ? i < rows.length - 1 : closeTimeUs + SETTLES_US < BigInt(dateMs) * US_PER_MS
  const closed = rows.filter(isClosed)
  return { closed, more: value.length === LIMIT && (dateMs === null || closed.length === rows.length) }
}

const byOpenTime = (a: HotCandle, b: HotCandle): number => (a.openTimeUs < b.openTimeUs ? -1 : 1)

const refuse = (row: unknown, origin: string): never => {
  throw unreadable(origin, `a candle like ${clip(JSON.stringify(row))}`)
}

async function ask(http: Http, gate: Gate, path: string, signal: AbortSignal): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    await gate.pass(signal)
    try {
      return await askOnce(http, gate, path, signal)
    } catch (thrown) {
      signal.throwIfAborted()
      const error = unreachable(thrown)
      const again = error.code === 'EXCHANGE_BUSY' || error.code === 'EXCHANGE_UNREACHABLE'
      if (!again || tries === TRIES || (error.retryAfterMs ?? 0) > gate.patienceMs) throw error
      if (error.code === 'EXCHANGE_UNREACHABLE') await sleep(250 * 2 ** tries * (0.5 + Math.random() / 2))
    }
  }
}

async function askOnce(http: Http, gate: Gate, path: string, signal: AbortSignal): Promise<Answer> {
  const answer = await http.get({ path, signal, accept: ANSWERS })
  const text = await textOf(answer.body)
  const date = answer.header('date')
  const dateMs = date === null || Number.isNaN(Date.parse(date)) ? null : Date.parse(date)
  if (answer.status !== 200) {
    const waitMs = retryAfterMs(answer.header('retry-after'), dateMs ?? Date.now(), LONGEST_BAN_MS)
    // What is refused for itself is named whole: it is one of many series.
    const at = `${http.origin}${answer.status === 400 ? path : path.split('?')[0]}`
    const failure = exchangeFailure({ status: answer.status, text, at, waitMs })
    gate.refused(failure)
    throw failure
  }
  gate.weighed(Number(answer.header('x-mbx-used-weight-1m') ?? 0), dateMs ?? Date.now())
  return { value: parsed(text, http.origin), dateMs }
}

function parsed(text: string, origin: string): unknown {
  try {
    return JSON.parse(text)
  } catch (thrown) {
    throw unreadable(origin, `something that is not JSON: ${clip(text)}`, thrown)
  }
}

async function textOf(body: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    chunks.push(chunk as Buffer)
    bytes += (chunk as Buffer).length
    if (bytes > BODY_BYTES) break
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** When this process may ask: the pauses that the exchange asked for, and those that its weight makes wise. */
class Gate {
  readonly #at: string
  readonly patienceMs: number
  #pausedUntilMs = 0
  #banned: { readonly untilMs: number } | null = null

  constructor(at: string, patienceMs: number) {
    this.#at = at
    this.patienceMs = patienceMs
  }

  /** @throws {EXCHANGE_BANNED} at once, whoever was refused @throws {EXCHANGE_BUSY} when the pause is too long */
  async pass(signal: AbortSignal): Promise<void> {
    for (;;) {
      const now = Date.now()
      if (this.#banned && this.#banned.untilMs > now) throw this.#ban(this.#banned.untilMs - now)
      const waitMs = this.#pausedUntilMs - now
      if (waitMs <= 0) return
      if (waitMs > this.patienceMs) {
        const facts = { at: this.#at, retryAfterMs: waitMs, do: 'wait' }
        throw new PipelineError('EXCHANGE_BUSY', 'the exchange asked for a pause', facts)
      }
      await sleep(waitMs, undefined, { signal })
    }
  }

  weighed(used: number, dateMs: number): void {
    if (used >= WEIGHT_MOST) this.#pause(MINUTE_MS - (dateMs % MINUTE_MS))
  }

  refused({ code, retryAfterMs: ms }: PipelineError): void {
    if (code === 'EXCHANGE_BANNED') this.#banned = { untilMs: Date.now() + (ms ?? 2 * MINUTE_MS) }
    if (code === 'EXCHANGE_BUSY') this.#pause(ms ?? MINUTE_MS)
  }

  #pause(ms: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, Date.now() + ms)
  }

  #ban(ms: number): PipelineError {
    return exchangeFailure({ status: 418, text: '', at: this.#at, waitMs: ms })
  }
}

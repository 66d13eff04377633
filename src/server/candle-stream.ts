import type { Context, Hono } from 'hono'
import type { Candle } from '../domain/candle-row.js'
import { asPipelineError, PipelineError } from '../domain/errors.js'
import { candleJson, eventJson } from '../domain/feed-json.js'
import { toJson } from '../domain/json.js'
import { parseSeriesKey, seriesKeyOf, type Series } from '../domain/partition.js'
import type { FeedEvent, FeedListener, SubscribeOptions, Subscription } from '../domain/ports/hot-feed.js'
import type { Log } from '../domain/ports/observe.js'
import { problem } from './problem.js'

export type Subscribe = (
  series: Series, listener: FeedListener<Candle<unknown>>, o?: SubscribeOptions,
) => Promise<Subscription>

export type StreamLimits = {
  /** A comment is sent so often when nothing else is. Default: 15 s, since servers and proxies end silent connections. */
  readonly beatMs?: number
  /** Whoever takes nothing for so long is told off. Default: 30 s. */
  readonly slowMs?: number
  /** Streams at once. Default: 256. */
  readonly most?: number
}

type StreamOptions = StreamLimits & { readonly subscribe: Subscribe; readonly log: Log }

const BEAT_MS = 15_000
const SLOW_MS = 30_000
const MOST = 256
/** What browsers wait before they connect again. */
const RETRY_MS = 1_000

const HEADERS = { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' }

/** `/api/candles/DATASET/SYMBOL/INTERVAL`: server-sent events of a subscription, each with its cursor as id. */
export function candleStreams(o: StreamOptions) {
  const open = new Set<CandleStream>()
  let opening = 0
  const serve = async (c: Context): Promise<Response> => {
    const asked = askedFor(c)
    if (asked === null) return problem(c, 'BAD_REQUEST')
    if (c.req.method === 'HEAD') return c.body(null, 200, HEADERS)
    if (open.size + opening >= (o.most ?? MOST)) return problem(c, 'TOO_MANY_STREAMS')
    const stream = new CandleStream(asked.series, o, () => open.delete(stream))
    opening++
    try {
      await stream.follow(asked)
    } catch (thrown) {
      if (asPipelineError(thrown).code === 'BAD_USAGE') return problem(c, 'BAD_REQUEST')
      throw thrown
    } finally {
      opening--
    }
    open.add(stream)
    return c.body(stream.body, 200, HEADERS)
  }
  return {
    route: (app: Hono): void => void app.get('/api/candles/:dataset/:symbol/:interval', serve),
    /** Ends every stream; browsers connect again, and find another server or this one restarted. */
    close: async (): Promise<void> => void (await Promise.all([...open].map((stream) => stream.end(null)))),
  }
}

type Asked = { readonly series: Series; readonly after: string | undefined; readonly last: number }

/** Null for what is no series or no number. A browser that connects again sends Last-Event-ID with the first URL. */
function askedFor(c: Context): Asked | null {
  const { dataset, symbol, interval } = c.req.param()
  const last = c.req.query('last') ?? '0'
  if (!/^\d{1,4}$/.test(last) || Number(last) > 1_000) return null
  try {
    return {
      series: parseSeriesKey(`${dataset}/${symbol}/${interval}`),
      after: c.req.header('last-event-id') ?? c.req.query('after'), last: Number(last),
    }
  } catch {
    return null
  }
}

/** One client: its subscription waits whenever it takes nothing, and what comes meanwhile lies in the database. */
class CandleStream {
  readonly body: ReadableStream<Uint8Array>
  readonly #series: Series
  readonly #o: StreamOptions
  readonly #onEnd: () => void
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null
  #subscription: Subscription | null = null
  #beat: NodeJS.Timeout | null = null
  #room: (() => void) | null = null

  constructor(series: Series, o: StreamOptions, onEnd: () => void) {
    this.#series = series
    this.#o = o
    this.#onEnd = onEnd
    this.body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        this.#controller = controller
      },
      pull: () => this.#room?.(),
      cancel: () => this.end(null),
    }, { highWaterMark: 4 })
  }

  async follow({ after, last }: Asked): Promise<void> {
    this.#send(`retry: ${RETRY_MS}\n\n`)
    this.#subscription = await this.#o.subscribe(this.#series, (event) => this.#tell(event), { after, last })
    // An id alone: a browser whose connection breaks before the first candle goes on from here all the same.
    this.#send(`id: ${this.#subscription.cursor}\n\n`)
    this.#beat = setInterval(() => this.#send(': beat\n\n'), this.#o.beatMs ?? BEAT_MS)
    void this.#subscription.ended.then((why) => this.end(why === null ? null : asPipelineError(why).code))
  }

  /** Ends it, with a last event that says why unless it is the client who went or the server that stops. */
  async end(code: string | null): Promise<void> {
    const controller = this.#controller
    if (controller === null) return
    if (code !== null) {
      this.#send(eventText('error', null, { v: 1, type: 'error', code }))
      this.#o.log.warn('stream.ended', { series: seriesKeyOf(this.#series), code })
    }
    this.#controller = null
    if (this.#beat) clearInterval(this.#beat)
    this.#room?.()
    try {
      controller.close()
    } catch {
      // The client's going has closed it.
    }
    this.#onEnd()
    await this.#subscription?.close()
  }

  async #tell(event: FeedEvent<Candle<unknown>>): Promise<void> {
    const texts = event.type === 'candles'
      ? event.candles.map((candle) => eventText('candle', candle.cursor, candleJson(this.#series, candle)))
      : [eventText(event.type, event.cursor, eventJson(this.#series, event))]
    for (let at = 0; at < texts.length; at += 100) {
      this.#send(texts.slice(at, at + 100).join(''))
      if (!(await this.#hasRoom())) throw new PipelineError('SUBSCRIBER_SLOW', 'the client takes nothing', {
        at: seriesKeyOf(this.#series),
      })
    }
  }

  /** False when the client took nothing for too long. */
  async #hasRoom(): Promise<boolean> {
    if (this.#controller === null || (this.#controller.desiredSize ?? 0) > 0) return true
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), this.#o.slowMs ?? SLOW_MS)
    })
    const room = new Promise<true>((resolve) => {
      this.#room = () => resolve(true)
    })
    try {
      return await Promise.race([room, late])
    } finally {
      clearTimeout(timer)
    }
  }

  #send(text: string): void {
    // A beat on top of what is not taken would only pile up.
    if (this.#controller === null || (text.startsWith(':') && (this.#controller.desiredSize ?? 0) <= 0)) return
    this.#controller.enqueue(Buffer.from(text))
  }
}

const eventText = (event: string, id: string | null, data: unknown): string =>
  `event: ${event}\n${id === null ? '' : `id: ${id}\n`}data: ${toJson(data)}\n\n`

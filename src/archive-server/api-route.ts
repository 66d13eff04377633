import { INTERVALS, type Interval } from '../domain/interval.js'
import type { Series } from '../domain/partition.js'
import { parseSymbol } from '../domain/symbol.js'
import { answerApi, answerApiFailure } from './api-answer.js'
import type { Exchange } from './exchange.js'
import type { KlineBook, KlineRow } from './kline-book.js'

/** What the API knows beside the bucket: its rows, its time in ms, and the weight that was asked of it. */
export type Api = { readonly book: KlineBook; readonly now: () => number; readonly weights: Weights }

const WEIGHT_A_MINUTE = 6_000
const MINUTE_MS = 60_000

/** Request weight used in this minute of the wall clock, by everybody who asks. */
export class Weights {
  #minute = 0
  #used = 0

  /** Adds to the weight of the minute; gives what it came to. */
  use(weight: number): number {
    const minute = Math.floor(Date.now() / MINUTE_MS)
    if (minute !== this.#minute) [this.#minute, this.#used] = [minute, 0]
    return (this.#used += weight)
  }
}

/**
 * `/api/v3/klines?symbol=&interval=&startTime=&endTime=&limit=` over the spot files of the bucket: candles that open
 * from startTime to endTime (ms, both in), oldest first, 500 of them or `limit` up to 1,000; without startTime the
 * newest. The one that has not closed is the last, as it was at its first trade. `/api/v3/time` is the time of that.
 */
export async function serveApi(x: Exchange, api: Api): Promise<void> {
  const weight = x.key === 'api/v3/klines' ? 2 : 1
  const set = x.faults.strike('usedWeight', x.logged.path)?.usedWeight
  const used = set ?? api.weights.use(weight)
  const date = new Date(api.now()).toUTCString()
  const headers = { date, 'x-mbx-used-weight': used, 'x-mbx-used-weight-1m': used }
  if (used > WEIGHT_A_MINUTE) return answerApiFailure(x, 429, { ...headers, 'retry-after': secondsLeft() })
  if (x.key === 'api/v3/time') return answerApi(x, 200, { serverTime: api.now() }, headers)
  if (x.key !== 'api/v3/klines') return answerApi(x, 404, { code: -1, msg: 'Not found.' }, headers)
  const asked = parse(x.query)
  if ('code' in asked) return answerApi(x, 400, asked, headers)
  if (!(await api.book.has(asked.series))) return answerApi(x, 400, { code: -1121, msg: 'Invalid symbol.' }, headers)
  const nowMs = api.now()
  const rows = await api.book.rows(asked.series, { ...asked, toMs: Math.min(asked.toMs, nowMs) })
  return answerApi(x, 200, rows.map((row) => (row[6] < nowMs ? row : justOpened(row))), headers)
}

const secondsLeft = (): string => String(Math.ceil((MINUTE_MS - Date.now() % MINUTE_MS) / 1_000))

const justOpened = ([openMs, open, , , , , closeMs]: KlineRow): KlineRow => [
  openMs, open, open, open, open, '0.00000000', closeMs, '0.00000000', 0, '0.00000000', '0.00000000', '0',
]

type Asked = { readonly series: Series; readonly fromMs: number | null; readonly toMs: number; readonly limit: number }

function parse(query: URLSearchParams): Asked | { code: number; msg: string } {
  const malformed = (name: string) => ({
    code: -1102, msg: `Mandatory parameter '${name}' was not sent, was empty/null, or malformed.`,
  })
  const [symbol, text] = [query.get('symbol') ?? '', query.get('interval') ?? '']
  if (symbol === '') return malformed('symbol')
  if (text === '') return malformed('interval')
  const interval = intervalOf(text)
  if (interval === null) return { code: -1120, msg: 'Invalid interval.' }
  const number = (name: string): number | null | undefined => {
    const given = query.get(name)
    return given === null ? null : /^\d{1,15}$/.test(given) ? Number(given) : undefined
  }
  const [fromMs, toMs, limit] = [number('startTime'), number('endTime'), number('limit')]
  if (fromMs === undefined || toMs === undefined || limit === undefined) return malformed('startTime, endTime, limit')
  if (!isSymbol(symbol)) return { code: -1100, msg: "Illegal characters found in parameter 'symbol'." }
  return {
    series: { dataset: 'spot-klines', symbol, interval }, fromMs, toMs: toMs ?? Infinity,
    limit: Math.max(1, Math.min(1_000, limit ?? 500)),
  }
}

/** The API writes the month `1M`, as a minute is `1m`; the archive's `1mo` is no interval here. */
const intervalOf = (text: string): Interval | null =>
  text === '1M' ? '1mo' : (INTERVALS.find((one) => one === text && one !== '1mo') ?? null)

function isSymbol(text: string): boolean {
  try {
    return parseSymbol(text) === text
  } catch {
    return false
  }
}

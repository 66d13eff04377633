import { readdir } from 'node:fs/promises'
import { Open } from 'unzipper'
import { filesPrefixOf, parseArchiveKey } from '../domain/archive-names.js'
import type { Series } from '../domain/partition.js'
import type { Bucket, BucketFile } from './bucket.js'

/** A candle as the exchange's API prints it: times ms, numbers as text. */
export type KlineRow = readonly [
  openMs: number, open: string, high: string, low: string, close: string, volume: string, closeMs: number,
  quoteVolume: string, trades: number, takerVolume: string, takerQuoteVolume: string, ignore: string,
]

/** `[fromMs, toMs)`, and the file that holds its rows. */
type Period = { readonly fromMs: number; readonly toMs: number; readonly file: BucketFile }

const FILES_KEPT = 64

/** The rows of a bucket's klines files, a day's file before its month's; files are parsed once and kept for a while. */
export class KlineBook {
  readonly #bucket: Bucket
  readonly #parsed = new Map<string, Promise<readonly KlineRow[]>>()

  constructor(bucket: Bucket) {
    this.#bucket = bucket
  }

  /** Whether there is any file of a series. */
  async has(series: Series): Promise<boolean> {
    return (await this.#periodsOf(series)).length > 0
  }

  /** Rows that open from `fromMs` to `toMs`, both in, oldest first; without `fromMs` the newest. At most `limit`. */
  async rows(series: Series, o: { fromMs: number | null; toMs: number; limit: number }): Promise<KlineRow[]> {
    const { fromMs, toMs, limit } = o
    const periods = (await this.#periodsOf(series)).filter((one) => one.fromMs <= toMs && one.toMs > (fromMs ?? 0))
    periods.sort((a, b) => (fromMs === null ? b.fromMs - a.fromMs : a.fromMs - b.fromMs))
    const found = new Map<number, KlineRow>()
    for (const [at, { file }] of periods.entries()) {
      for (const row of await this.#rowsOf(file)) {
        if (row[0] >= (fromMs ?? 0) && row[0] <= toMs && !found.has(row[0])) found.set(row[0], row)
      }
      // A month begins with its first day: files of the same beginning go together.
      if (found.size >= limit && periods[at + 1]?.fromMs !== periods[at]?.fromMs && !overlaps(periods, at)) break
    }
    const rows = [...found.values()].sort((a, b) => a[0] - b[0])
    return fromMs === null ? rows.slice(-limit) : rows.slice(0, limit)
  }

  async #periodsOf(series: Series): Promise<Period[]> {
    const all: Period[] = []
    for (const period of ['daily', 'monthly'] as const) {
      const prefix = filesPrefixOf(series, period)
      const folder = await this.#bucket.resolve(prefix.slice(0, -1))
      for (const name of folder === null ? [] : await readdir(folder)) {
        const [key, parsed] = [`${prefix}${name}`, parseArchiveKey(`${prefix}${name}`)]
        const file = parsed === null ? null : await this.#bucket.find(key)
        if (parsed === null || file === null) continue
        const fromMs = Date.parse(`${parsed.day ?? `${parsed.month}-01`}T00:00:00Z`)
        const to = new Date(fromMs)
        if (parsed.day === null) to.setUTCMonth(to.getUTCMonth() + 1)
        else to.setUTCDate(to.getUTCDate() + 1)
        all.push({ fromMs, toMs: to.getTime(), file })
      }
    }
    return all
  }

  #rowsOf(file: BucketFile): Promise<readonly KlineRow[]> {
    const key = `${file.path} ${file.size} ${file.mtimeMs}`
    const known = this.#parsed.get(key)
    if (known) return known
    const parsing = parse(file)
    this.#parsed.set(key, parsing)
    parsing.catch(() => this.#parsed.delete(key))
    for (const oldest of this.#parsed.keys()) {
      if (this.#parsed.size <= FILES_KEPT) break
      this.#parsed.delete(oldest)
    }
    return parsing
  }
}

const overlaps = (periods: readonly Period[], at: number): boolean => {
  const [one, next] = [periods[at], periods[at + 1]]
  return one !== undefined && next !== undefined && next.fromMs < one.toMs && one.fromMs < next.toMs
}

async function parse(file: BucketFile): Promise<readonly KlineRow[]> {
  const zip = await Open.file(file.path)
  const text = (await zip.files[0]?.buffer())?.toString('utf8') ?? ''
  return text.split(/\r?\n/).filter((line) => /^\d/.test(line)).map(rowOf)
}

function rowOf(line: string): KlineRow {
  const [open = '', o = '', h = '', l = '', c = '', v = '', close = '', q = '', n = '', tv = '', tq = ''] = line.split(',')
  return [msOf(open), o, h, l, c, v, msOf(close), q, Number(n), tv, tq, '0']
}

/** Files since 2025 print microseconds; the API prints milliseconds. */
const msOf = (text: string): number => Number(text.length > 13 ? text.slice(0, 13) : text)

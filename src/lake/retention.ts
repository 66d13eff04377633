import { createHash, type Hash } from 'node:crypto'
import type { NumericType } from '../domain/candle.js'
import { COMPARED, differencesOf, type Difference } from '../domain/compare-rows.js'
import { PipelineError } from '../domain/errors.js'
import type { HotCandle } from '../domain/hot-candle.js'
import type { ColumnHash } from '../domain/migration.js'
import { dayStartUs, US_PER_DAY } from '../domain/month.js'
import type { Held, HotStore } from '../domain/ports/hot-store.js'
import { sliceOf, type Slice } from '../domain/slice.js'
import type { Candle } from './candle.js'
import { candleReader, hotCandleOf } from './hot-repository.js'
import type { Lake } from './lake.js'
import { askedAgain, onlyMonths } from './warm-months.js'

/** What retention looks at, and the numeric type in which it compares. */
export type RetentionPorts = {
  readonly hot: HotStore
  readonly lake: Lake<unknown>
  readonly numericType: NumericType
}

/** Hot rows of whole days beside their verified month. */
export type Compared = {
  /** Days of which the month holds every row. */
  readonly held: readonly Held[]
  readonly etag: string
  readonly hotRows: number
  /** Rows of the month that have the time of a hot one. */
  readonly warmRows: number
  readonly differences: readonly Difference[]
  /** The month's rows where it has other values. */
  readonly truth: readonly HotCandle[]
}

export const isPast = (day: string, limitUs: bigint): boolean => dayStartUs(day) + US_PER_DAY <= limitUs

/** Days that ended so many days before `now` or earlier are past retention: they end at this instant at the latest. */
export const retentionLimitUs = (now: Date, hotDays: number): bigint =>
  BigInt(now.getTime()) * 1_000n - BigInt(hotDays) * US_PER_DAY

/**
 * Compares every closed row of a slice, which begins and ends at midnight and lies in one month, with the verified
 * month, value by value in the lake's type; null where there is none. Rows and digests are of one snapshot: what is
 * removed later is what was compared here.
 */
export async function compareDays(
  { hot, lake, numericType }: RetentionPorts, at: Slice, hashes?: ColumnHashes,
): Promise<Compared | null> {
  return await askedAgain(async () => {
    const seen = await hot.view(async (view) => {
      const [month] = await view.months(at)
      if (!month || month.provisional) return null
      const days = await view.contents(at)
      const [first, last] = [days[0], days.at(-1)]
      if (!first || !last) return { month, days, rows: [], warm: Promise.resolve([]) }
      // A day of a month, where no more is left of it: the rest of the month need not be read.
      const held = sliceOf(at, dayStartUs(first.day), dayStartUs(last.day) + US_PER_DAY)
      const warm = onlyMonths(lake, [month]).read(held).rows()
      // Awaited below, beside the hot rows; a failure of these may come first.
      warm.catch(() => undefined)
      return { month, days, rows: await view.read(held), warm }
    })
    if (seen === null) return null
    const warm = await seen.warm
    const hotRows = seen.rows.map(candleReader<unknown>(numericType))
    const differences = differencesOf(hotRows, warm)
    const other = new Set(differences.filter(({ column }) => column !== null).map((one) => one.openTimeUs))
    const odd = new Set(differences.map(({ openTimeUs }) => openTimeUs / US_PER_DAY))
    const times = new Set(hotRows.map(({ openTimeUs }) => openTimeUs))
    const same = warm.filter(({ openTimeUs }) => times.has(openTimeUs))
    hashes?.add(hotRows, same)
    const { etag } = seen.month.object
    const { dataset, symbol, interval } = at
    const series = { dataset, symbol, interval }
    return {
      etag, differences, hotRows: hotRows.length, warmRows: same.length,
      held: seen.days.filter(({ day }) => !odd.has(dayStartUs(day) / US_PER_DAY))
        .map((day) => ({ ...day, series, etag })),
      truth: same.filter(({ openTimeUs }) => other.has(openTimeUs)).map((row) => hotCandleOf(row, at, numericType)),
    }
  })
}

/** Removes what is held of a day, and an empty day; null when somebody reads or writes it for long. */
export async function release(
  hot: HotStore, day: string, held: readonly Held[],
): Promise<readonly Held[] | null> {
  try {
    return await hot.remove(held, { days: [day] })
  } catch (thrown) {
    if (thrown instanceof PipelineError && thrown.code === 'LEASE_HELD') return null
    throw thrown
  }
}

const HASHED = ['openTimeUs', ...COMPARED] as const

/** SHA-256 of each column over the rows of either side, as they come. */
export class ColumnHashes {
  readonly #sides = { hot: hashes(), warm: hashes() }

  add(hot: readonly Candle<unknown>[], warm: readonly Candle<unknown>[]): void {
    for (const [side, rows] of [['hot', hot], ['warm', warm]] as const) {
      HASHED.forEach((column, i) => {
        if (rows.length > 0) this.#sides[side][i]?.update(bytesOf(rows.map((row) => row[column])))
      })
    }
  }

  /** To be asked once. */
  result(): ColumnHash[] {
    return HASHED.map((column, i) => (
      { column, hot: hexOf(this.#sides.hot[i]), warm: hexOf(this.#sides.warm[i]) }
    ))
  }
}

const hashes = (): Hash[] => HASHED.map(() => createHash('sha256'))
const hexOf = (hash: Hash | undefined): string => hash?.digest('hex') ?? ''

/** Doubles and instants as they lie in memory, decimals as text. */
function bytesOf(values: readonly unknown[]): Uint8Array | string {
  const [first] = values
  if (typeof first === 'bigint') return new Uint8Array(BigInt64Array.from(values as bigint[]).buffer)
  if (typeof first === 'number') return new Uint8Array(Float64Array.from(values as number[]).buffer)
  return `${values.join('\n')}\n`
}

import { asPipelineError, PipelineError } from '../domain/errors.js'
import { monthRange, US_PER_DAY } from '../domain/month.js'
import { seriesKeyOf, type Series } from '../domain/partition.js'
import type { Exchange } from '../domain/ports/exchange.js'
import type { HotStore } from '../domain/ports/hot-store.js'

export type SyncPorts = { readonly hot: HotStore; readonly exchange: Exchange; readonly hotDays: number }

/** What a sync of one series came to: rows the exchange gave, how many were stored, and their ends, µs, both in. */
export type Synced = {
  readonly series: Series
  readonly rows: number
  readonly stored: number
  readonly firstUs: bigint | null
  readonly lastUs: bigint | null
}

/** A series that the exchange does not know, or does not give: `refusal` is EXCHANGE_REFUSED. */
export type Unsynced = { readonly series: Series; readonly refusal: PipelineError }

type SyncOptions = {
  /** Where each series begins, µs; null is after its newest hot row. */
  readonly fromUs: bigint | null
  readonly signal: AbortSignal
}

/**
 * Series after series. What the exchange refuses keeps no other from it; what holds for all of them ends the walk.
 * @throws {EXCHANGE_BUSY, EXCHANGE_BANNED, EXCHANGE_RESTRICTED, EXCHANGE_UNREACHABLE} and failures of the catalog
 */
export async function* syncEach(
  ports: SyncPorts, all: readonly Series[], o: SyncOptions,
): AsyncGenerator<Synced | Unsynced> {
  for (const series of all) {
    try {
      yield await syncHot(ports, series, o)
    } catch (thrown) {
      const refusal = asPipelineError(thrown)
      if (refusal.code !== 'EXCHANGE_REFUSED' || refusal.facts['status'] !== 400) throw thrown
      yield { series, refusal }
    }
  }
}

/**
 * Brings a series up to now: closed candles from after the newest hot row (or `fromUs`) on. A series that has none
 * begins after its newest month of the lake, HOT_DAYS ago at the earliest. Every page is stored before the next one is
 * asked for, so that whoever is stopped goes on where this one ended.
 */
export async function syncHot(
  { hot, exchange, hotDays }: SyncPorts, series: Series, o: SyncOptions,
): Promise<Synced> {
  let sum: Synced = { series, rows: 0, stored: 0, firstUs: null, lastUs: null }
  for (let fromUs = o.fromUs ?? (await resumeUs(hot, exchange, series, hotDays, o.signal)); ;) {
    const { closed, more } = await exchange.candles({ series, fromUs, signal: o.signal })
    const last = closed.at(-1)
    if (last === undefined) return sum
    if (closed.some(({ openTimeUs }) => openTimeUs < fromUs)) throw ofAnotherTime(series)
    const stored = await hot.save(series, closed, 'closed')
    sum = {
      series, rows: sum.rows + closed.length, stored: sum.stored + stored,
      firstUs: sum.firstUs ?? closed[0]?.openTimeUs ?? null, lastUs: last.openTimeUs,
    }
    if (!more) return sum
    o.signal.throwIfAborted()
    fromUs = last.openTimeUs + 1n
  }
}

/** Asked again it would answer the same, for ever. */
const ofAnotherTime = (series: Series): PipelineError =>
  new PipelineError('EXCHANGE_UNREACHABLE', 'the exchange answered with candles of another time', {
    at: seriesKeyOf(series), do: 'check EXCHANGE_URL: does a proxy in between drop the query?',
  })

async function resumeUs(
  hot: HotStore, exchange: Exchange, series: Series, hotDays: number, signal: AbortSignal,
): Promise<bigint> {
  const [newest] = await hot.latest(series, 1)
  if (newest) return newest.openTimeUs + 1n
  const nowUs = await exchange.nowUs(signal)
  const earliestUs = nowUs - (nowUs % US_PER_DAY) - BigInt(hotDays) * US_PER_DAY
  const months = await hot.view((view) => view.months(series))
  const month = months.at(-1)?.object.partition.month
  const warmUs = month === undefined ? 0n : monthRange(month).toUs
  return warmUs > earliestUs ? warmUs : earliestUs
}

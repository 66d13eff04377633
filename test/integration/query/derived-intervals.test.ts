import { expect } from 'chai'
import { join } from 'node:path'
import { BinanceArchive } from '../../../src/client.js'
import { ParquetLake } from '../../../src/compose-parquet-lake.js'
import type { NumericType } from '../../../src/domain/candle.js'
import type { Candle } from '../../../src/domain/candle-row.js'
import { monthOfUs } from '../../../src/domain/month.js'
import { parsePartitionKey, type Series } from '../../../src/domain/partition.js'
import { slice, type Slice } from '../../../src/domain/slice.js'
import { CandleQuery } from '../../../src/lake/candle-query.js'
import { serveFolder, type Served } from '../../support/archive.js'
import { coarseBars, type CoarseBar } from '../../support/bar-oracle.js'
import { CandleFiles } from '../../support/candle-files.js'
import { realArchiveDir } from '../../support/real-archive.js'
import { tempFolder } from '../../support/temp-folder.js'

const COARSER = ['3m', '5m', '15m', '30m', '1h', '2h', '4h', '6h', '8h', '12h', '1d', '3d', '1w', '1mo']
const root = realArchiveDir()

async function all<T>(batches: AsyncIterable<T[]>): Promise<T[]> {
  const rows: T[] = []
  for await (const batch of batches) rows.push(...batch)
  return rows
}

/** Equal bars, one by one: a difference of whole lists says little, and takes chai seconds. */
function expectBars(got: readonly object[], want: readonly object[], what = 'bars'): void {
  expect(got.length, what).to.equal(want.length)
  for (const [i, bar] of got.entries()) if (textOf(bar) !== textOf(want[i]!)) expect(bar, `${what}, ${i}`).to.deep.equal(want[i])
}

const textOf = (bar: object): string =>
  Object.entries(bar).sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name} ${String(value)}`).join()

/** A lake of its own, with what a test puts there. */
async function lakeOf(numericType: NumericType) {
  const folder = await tempFolder()
  const path = join(folder.path, 'lake')
  const lake = await ParquetLake.open<never>(path, { numericType })
  const query = new CandleQuery<never>(lake)
  const close = async (): Promise<void> => {
    await query.close()
    await lake.close()
    await folder.remove()
  }
  const resample = async <N>(at: Slice, interval: string): Promise<(Candle<N> & { complete: boolean })[]> =>
    (await query.resample(at, interval).rows())
  return { path, lake, resample, close }
}

describe('intervals derived from a lake of minutes', function () {
  this.timeout(120_000)

  describe('of generated candles', () => {
    const minutes: Series = { dataset: 'spot-klines', symbol: 'BTCUSDT', interval: '1m' }
    let own: Awaited<ReturnType<typeof lakeOf>>

    before(async () => {
      own = await lakeOf('decimal')
      const files = await CandleFiles.in(own.path)
      for (const month of ['2023-12', '2024-01', '2024-02']) {
        await files.write(`spot-klines/BTCUSDT/1m/${month}`, { numericType: 'decimal', ...(month === '2024-02' ? { rows: 30_000 } : {}) })
      }
      files.close()
    })
    after(() => own.close())

    for (const interval of COARSER) {
      it(`${interval} is the minutes put together, over months, a cut end and a hole`, async () => {
        const at = slice(minutes, '2023-12-05T07:31', '2024-02')
        const want = coarseBars(await all<Candle<string>>(own.lake.read(at)), interval)
        expectBars(await own.resample<string>(at, interval), want)
        expect(want.map(({ complete }) => complete)).to.include.members(interval === '1mo' ? [true, false] : [true])
        expect(want[0]?.complete, 'the first bucket begins before the slice').to.equal(false)
      })
    }
  })

  if (root === null) console.error('REAL_ARCHIVE_DIR is not set: derived intervals are not compared with real ones')
  else {
    describe('of real files', () => {
      let served: Served
      let archive: BinanceArchive

      before(async () => {
        served = await serveFolder(root)
        archive = new BinanceArchive({ archiveUrl: served.url })
      })
      after(async () => {
        await archive.close()
        await served.close()
      })

      const day = (dataset: Series['dataset'], date: string, to: string): Slice =>
        slice({ dataset, symbol: 'BTCUSDT', interval: '1m' }, date, to)
      const PAIRS: readonly (readonly [at: Slice, interval: '5m' | '1h', bars: number])[] = [
        [day('um-klines', '2022-04-08', '2022-04-09'), '5m', 288],
        [day('spot-klines', '2020-01-01', '2020-01-04'), '1h', 72],
        [day('spot-klines', '2025-01-02', '2025-01-03'), '1h', 24],
      ]
      for (const numericType of ['decimal', 'double'] as const) {
        for (const [at, interval, bars] of PAIRS) {
          it(`${at.dataset} 1m of ${monthOfUs(at.fromUs)} make the exchange's own ${interval} bars, ${numericType}`, async () => {
            const own = await lakeOf(numericType)
            try {
              const rows = archive.candles(at)
              const typed = numericType === 'decimal' ? rows : inNumbers(rows)
              await own.lake.write({ ...at, month: monthOfUs(at.fromUs) }, typed as never)
              const theirs = await all(archive.candles({ ...at, interval }))
              const ours = await own.resample<string | number>(at, interval)
              expect(ours).to.have.length(bars)
              expectBars(ours, theirs.map((bar) => ({ ...(numericType === 'decimal' ? bar : numbersOf(bar)), complete: true })))
            } finally {
              await own.close()
            }
          })
        }
      }

      for (const key of ['um-klines/AVAXUSDT/1m/2023-02', 'um-klines/FILUSDT/1m/2023-04']) {
        it(`${key} gives every coarser interval as put together by other means`, async () => {
          const partition = parsePartitionKey(key)
          const own = await lakeOf('decimal')
          try {
            await own.lake.write(partition, archive.candles(partition) as never)
            const minutes = await all(archive.candles(partition))
            const at = slice(partition, partition.month, partition.month)
            for (const interval of COARSER) {
              const want: CoarseBar[] = coarseBars(minutes, interval)
              expectBars(await own.resample<string>(at, interval), want, interval)
            }
          } finally {
            await own.close()
          }
        })
      }
    })
  }
})

const NUMBERS = ['open', 'high', 'low', 'close', 'volume', 'quoteVolume', 'takerBuyVolume', 'takerBuyQuoteVolume'] as const

const numbersOf = (bar: Candle<string>): Candle<number> =>
  ({ ...bar, ...(Object.fromEntries(NUMBERS.map((name) => [name, Number(bar[name])])) as Record<(typeof NUMBERS)[number], number>) })

async function* inNumbers(batches: AsyncIterable<Candle<string>[]>): AsyncGenerator<Candle<number>[]> {
  for await (const batch of batches) yield batch.map(numbersOf)
}

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeKlineFile } from '../../src/archive-server/kline-file.js'
import { syntheticCandles } from '../../src/archive-server/synthetic-candles.js'
import { addMonths, monthRange, US_PER_MS } from '../../src/domain/month.js'
import type { Partition } from '../../src/domain/partition.js'
import { tempFolder } from '../support/temp-folder.js'

export const SYMBOLS = ['AAAUSDT', 'BBBUSDT'] as const
export const FIRST_MONTH = '2021-01'
const HOUR_MS = 3_600_000

/** An archive of two symbols, 1h, so small that one partition takes a tenth of a second from end to end. */
export type ArchiveSample = {
  /** The folder that an archive server serves. */
  readonly root: string
  /** In the order in which a plan of everything enqueues them. */
  readonly partitions: readonly Partition[]
  /** Writes other candles under the same name, as the exchange does when it corrects a month. */
  republish(p: Partition): Promise<void>
  remove(): Promise<void>
}

export async function writeSample(months: number): Promise<ArchiveSample> {
  const folder = await tempFolder()
  const root = join(folder.path, 'archive')
  const partitions = SYMBOLS.flatMap((symbol) => Array.from({ length: months }, (_, i): Partition =>
    ({ dataset: 'spot-klines', symbol, interval: '1h', month: addMonths(FIRST_MONTH, i) })))
  for (const p of partitions) await publish(root, p, 1)
  return {
    root,
    partitions,
    republish: (p) => publish(root, p, 2),
    remove: () => rm(folder.path, { recursive: true, force: true }),
  }
}

async function publish(root: string, p: Partition, edition: 1 | 2): Promise<void> {
  const { fromUs, toUs } = monthRange(p.month)
  const [fromMs, toMs] = [Number(fromUs / US_PER_MS), Number(toUs / US_PER_MS)]
  const seed = edition * 1_000_000 + Number(p.month.replace('-', '')) + (p.symbol === SYMBOLS[0] ? 0 : 500_000)
  const rows = syntheticCandles({ seed, fromMs, toMs, stepMs: HOUR_MS })
  const { symbol, interval, month: label } = p
  await writeKlineFile({ root, market: 'spot', period: 'monthly', symbol, interval, label, rows })
}

import { ArchiveReader } from './adapters/binance/archive-reader.js'
import { openParquetMerger, type ParquetMerger } from './adapters/engine/merge-parquet.js'
import { readerSettingsOf } from './compose-archive.js'
import type { Config } from './config.js'
import type { NumericType } from './domain/candle.js'
import type { CandleSource } from './domain/ports/candle-source.js'
import type { ObjectStore } from './domain/ports/object-store.js'
import { lakeSource } from './lake/lake-source.js'
import type { Lake } from './lake/lake.js'

/** What `export` reads from and writes Parquet with. */
export type Exports = {
  readonly merger: ParquetMerger
  candles(from: 'lake' | 'archive'): Promise<CandleSource>
  close(): Promise<void>
}

export function composeExports(
  config: Config, o: { lake: () => Promise<Lake<unknown>>; store: () => Promise<ObjectStore> },
): Exports {
  const { engineMemoryBytes: memoryBytes, engineTempBytes: tempBytes, numericType, parquetCodec, parquetLevel } = config
  const merger = openParquetMerger({ memoryBytes, tempBytes, threads: 1 }, {
    numericType, codec: parquetCodec, level: parquetLevel, dataPages: config.parquetPages,
  })
  let reader: ArchiveReader | undefined
  return {
    merger,
    candles: async (from) => {
      if (from === 'lake') return lakeSource(await o.lake(), await o.store())
      reader ??= new ArchiveReader(() => Promise.resolve(readerSettingsOf(config)))
      return archiveSource(reader, merger, numericType)
    },
    close: async () => {
      await reader?.close()
      merger.close()
    },
  }
}

function archiveSource(reader: ArchiveReader, merger: ParquetMerger, numericType: NumericType): CandleSource {
  return {
    find: (wanted, o) => reader.find(wanted, o),
    read: (at, call) => reader.candles(at, call),
    files: async function* (at, { scratch: folder, ...call }) {
      for await (const { partition, rows } of reader.months(at, numericType, call)) {
        yield { month: partition.month, path: await merger.part({ folder, partition, rows }) }
      }
    },
  }
}

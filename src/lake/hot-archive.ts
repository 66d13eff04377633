import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ZipFile } from 'yazl'
import { fileNameOf } from '../domain/archive-names.js'
import { diskFailure } from '../domain/disk-failure.js'
import { PipelineError } from '../domain/errors.js'
import type { HotCandle } from '../domain/hot-candle.js'
import { hotEtagOf, partitionOfHotKey } from '../domain/hot-source.js'
import { dayStartUs, monthRange, US_PER_DAY } from '../domain/month.js'
import type { Partition } from '../domain/partition.js'
import type { Archive, Fetched } from '../domain/ports/archive.js'
import type { HotStore, HotView } from '../domain/ports/hot-store.js'
import { sliceOf } from '../domain/slice.js'

/** Written from local parts, so that the same rows give the same bytes in every zone. */
const MTIME = new Date(2025, 0, 1, 12, 0, 0)

/**
 * Hot rows as an archive of ZIPs, by the keys of `hotKeyOf`: the closed rows of a month, as of one instant, in the form
 * of the archive's files. The same rows give the same bytes. @throws {ARCHIVE_ABSENT} no row of the month is hot
 */
export function hotArchive(hot: HotStore): Archive {
  return {
    fetch: ({ wanted: { key }, path, signal, onBytes }) => hot.view(async (view) => {
      const partition = partitionOfHotKey(key)
      const range = monthRange(partition.month)
      const days = await view.contents(sliceOf(partition, range.fromUs, range.toUs))
      const written = await write(key, rowsOf(view, partition, days.map(({ day }) => day)), path, signal, onBytes)
      const { sha256Hex, bytes } = written
      // Its digest is the only one there is: it says of the file what a CHECKSUM would.
      const source: Fetched['source'] = {
        key, etag: hotEtagOf(days), lastModified: null, bytes, sha256Hex, checksum: 'ok', checksumHex: sha256Hex, range,
      }
      return { source, path }
    }),
  }
}

/** Day by day, so that a month of seconds is never in memory. */
async function* rowsOf(view: HotView, p: Partition, days: readonly string[]): AsyncGenerator<string> {
  let found = false
  for (const day of days) {
    const fromUs = dayStartUs(day)
    const rows = await view.read(sliceOf(p, fromUs, fromUs + US_PER_DAY))
    found ||= rows.length > 0
    yield rows.map(lineOf).join('')
  }
  if (!found) throw new PipelineError('ARCHIVE_ABSENT', 'no row of the month is hot', { at: p.month })
}

const lineOf = (row: HotCandle): string => `${[
  row.openTimeUs, row.open, row.high, row.low, row.close, row.volume, row.closeTimeUs, row.quoteVolume, row.trades,
  row.takerBuyVolume, row.takerBuyQuoteVolume, 0,
].join(',')}\n`

async function write(
  key: string, lines: AsyncIterable<string>, path: string, signal: AbortSignal, onBytes?: (count: number) => void,
): Promise<{ readonly sha256Hex: string; readonly bytes: number }> {
  const zip = new ZipFile()
  const hash = createHash('sha256')
  let bytes = 0
  const seen = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      bytes += chunk.length
      onBytes?.(chunk.length)
      done(null, chunk)
    },
  })
  const rows = Readable.from(lines, { objectMode: false })
  // yazl hears of no error of what it reads.
  rows.once('error', (error) => seen.destroy(error))
  zip.addReadStream(rows, fileNameOf(key).replace(/\.zip$/, '.csv'), { mtime: MTIME, mode: 0o100644 })
  zip.end()
  try {
    await pipeline(zip.outputStream, seen, createWriteStream(path), { signal })
  } catch (thrown) {
    throw diskFailure(thrown, path) ?? thrown
  }
  return { sha256Hex: hash.digest('hex'), bytes }
}

import { mkdir, mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Faults } from '../../src/archive-server/faults.js'
import { klineKeyOf, writeKlineFile, type KlineFile, type KlineFileOptions } from '../../src/archive-server/kline-file.js'
import { writeSampleArchive } from '../../src/archive-server/sample.js'
import { startArchiveServer } from '../../src/archive-server/server.js'
import { syntheticCandles } from '../../src/archive-server/synthetic-candles.js'
import { checksumText, sha256Of, zipMember } from '../../src/archive-server/zip-member.js'

type Market = KlineFileOptions['market']
export type MonthFile = { readonly market?: Market; readonly symbol: string; readonly interval: string; readonly month: string }

export type Generated = MonthFile & Pick<KlineFileOptions, 'header' | 'checksum'> & {
  /** Milliseconds since 1970, `[fromMs, toMs)`; the whole month, from its first bar on the grid, when left out. */
  readonly fromMs?: number
  readonly toMs?: number
  /** When the archive wrote the file, ms since 1970; three hours after the month's end when left out. */
  readonly writtenMs?: number
}

/** A generated archive that is being served. */
export type Archive = {
  readonly root: string
  readonly url: string
  readonly faults: Faults
  /** Writes a month of generated candles. */
  month(o: Generated): Promise<KlineFile>
  /** The same for many. */
  months(o: Omit<Generated, 'month'>, months: readonly string[]): Promise<KlineFile[]>
  /** Puts these bytes where the archive has that month, with a CHECKSUM that matches; the answer is the key. */
  place(o: MonthFile, zip: Buffer): Promise<string>
  /** A ZIP with these CSV lines in place of what the month has. */
  placeCsv(o: MonthFile, lines: readonly string[]): Promise<string>
  /** CSV lines of a month that was generated, before it is written: for tests that spoil some. */
  lines(o: Generated): string[]
  /** Keys of the ZIPs that were sent since the last call of `forget`, one for each time. */
  sent(): string[]
  forget(): void
  close(): Promise<void>
}

const DAY_MS = 86_400_000
const STEPS_MS: Readonly<Record<string, number>> = {
  '1m': 60_000, '5m': 300_000, '15m': 900_000, '1h': 3_600_000, '4h': 14_400_000, '1d': DAY_MS, '3d': 3 * DAY_MS, '1w': 7 * DAY_MS,
}
/** Where the steps are counted from, ms since 1970: weeks from a Monday, three days from 1970-01-02. */
const ANCHORS_MS: Readonly<Record<string, number>> = { '1w': 4 * DAY_MS, '3d': DAY_MS }

export async function archive(): Promise<Archive> {
  const root = await mkdtemp(join(tmpdir(), 'candlelake-archive-'))
  await mkdir(join(root, 'data'))
  const server = await startArchiveServer({ root })
  const month = async (o: Generated): Promise<KlineFile> => {
    const file = await writeKlineFile({
      root, market: o.market ?? 'spot', period: 'monthly', symbol: o.symbol, interval: o.interval, label: o.month,
      rows: candles(o), ...(o.header === undefined ? {} : { header: o.header }), ...(o.checksum === undefined ? {} : { checksum: o.checksum }),
    })
    if (o.writtenMs !== undefined) await utimes(file.path, o.writtenMs / 1_000, o.writtenMs / 1_000)
    return file
  }
  const place = async (o: MonthFile, zip: Buffer): Promise<string> => {
    const key = keyOf(o)
    await mkdir(dirname(join(root, key)), { recursive: true })
    await put(join(root, `${key}.CHECKSUM`), checksumText(sha256Of(zip), key.slice(key.lastIndexOf('/') + 1)))
    await put(join(root, key), zip)
    return key
  }
  return {
    root, url: server.url, faults: server.faults, month, place,
    months: (o, months) => Promise.all(months.map((name) => month({ ...o, month: name }))),
    placeCsv: async (o, lines) => {
      const name = keyOf(o).slice(keyOf(o).lastIndexOf('/') + 1).replace(/\.zip$/, '.csv')
      return await place(o, await zipMember({ name, content: Buffer.from(`${lines.join('\n')}\n`) }))
    },
    lines: (o) => [...candles(o)],
    sent: () => server.requests.filter((r) => r.method === 'GET' && r.path.endsWith('.zip') && r.status < 300).map((r) => r.path.slice(1)),
    forget: () => void server.requests.splice(0),
    close: async () => {
      await server.close()
      await rm(root, { recursive: true, force: true })
    },
  }
}

/** Where the archive keeps a month. */
export const keyOf = (o: MonthFile): string =>
  klineKeyOf({ market: o.market ?? 'spot', period: 'monthly', symbol: o.symbol, interval: o.interval, label: o.month })

/** By rename: a server that reads the file meanwhile sees all of one or the other. */
async function put(path: string, content: string | Buffer): Promise<void> {
  await writeFile(`${path}.new`, content)
  await rename(`${path}.new`, path)
}

function candles(o: Generated): Iterable<string> {
  const [startMs, endMs] = [Date.parse(`${o.month}-01T00:00:00Z`), Date.parse(`${monthAfter(o.month)}-01T00:00:00Z`)]
  const stepMs = STEPS_MS[o.interval] ?? endMs - startMs
  const anchorMs = STEPS_MS[o.interval] === undefined ? startMs : (ANCHORS_MS[o.interval] ?? 0)
  const firstMs = startMs + ((((anchorMs - startMs) % stepMs) + stepMs) % stepMs)
  const unit = (o.market ?? 'spot') === 'spot' && o.month >= '2025-01' ? 'us' : 'ms'
  const seed = [...`${o.symbol}${o.interval}${o.month}`].reduce((sum, letter) => sum * 31 + letter.charCodeAt(0), 7) % 1e9
  return syntheticCandles({ seed, fromMs: o.fromMs ?? firstMs, toMs: o.toMs ?? endMs, stepMs, unit })
}

/** `2024-01` after `2023-12`. */
export function monthAfter(month: string, by = 1): string {
  const at = new Date(`${month}-01T00:00:00Z`)
  at.setUTCMonth(at.getUTCMonth() + by)
  return at.toISOString().slice(0, 7)
}

/** The last whole month. */
export const lastMonth = (): string => monthAfter(new Date().toISOString().slice(0, 7), -1)

/** A folder in the archive's layout, served as it is. */
export type Served = { readonly url: string; close(): Promise<void> }
export const serveFolder = (root: string): Promise<Served> => startArchiveServer({ root })

/** The demo's own archive, served. Months are the first and the last, both in. */
export type Sample = { readonly url: string; readonly from: string; readonly to: string; close(): Promise<void> }

export async function sampleArchive(): Promise<Sample> {
  const root = await mkdtemp(join(tmpdir(), 'candlelake-sample-'))
  const { from, to } = await writeSampleArchive(root)
  const server = await serveFolder(root)
  const close = async (): Promise<void> => {
    await server.close()
    await rm(root, { recursive: true, force: true })
  }
  return { url: server.url, from, to, close }
}

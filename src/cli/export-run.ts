import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { PipelineError } from '../domain/errors.js'
import { seriesKeyOf, type Series } from '../domain/partition.js'
import type { CandleSource, FoundCandles, WantedCandles } from '../domain/ports/candle-source.js'
import type { ExportFormat } from '../exports/export-format.js'
import { textRows, type SeriesRows } from '../exports/text-rows.js'
import { gzipped, piecesOf, writeTo, writeWhole } from '../exports/write-whole.js'
import type { App } from './app.js'
import type { Context } from './command.js'
import { openExportScreen } from './export-screen.js'
import type { ExportSummary } from './export-summary.js'
import { ExportTracker } from './export-tracker.js'

/** What is exported; `path` null is stdout. */
export type ExportRequest = {
  readonly wanted: WantedCandles
  readonly format: ExportFormat
  readonly path: string | null
  readonly from: 'lake' | 'archive'
}

type Export = {
  readonly request: ExportRequest
  readonly app: App
  readonly source: CandleSource
  readonly found: readonly FoundCandles[]
  readonly tracker: ExportTracker
  readonly signal: AbortSignal
}

/** Finds what is wanted and writes it in constant memory; a file comes to be whole or not at all. */
export async function runExport(context: Context, request: ExportRequest): Promise<ExportSummary> {
  const startedMs = Date.now()
  const { out, interrupts: { signal } } = context
  const app = await context.openApp()
  const source = await app.candles(request.from)
  const found: FoundCandles[] = []
  const onMissing = (series: Series): void =>
    out.note(`! ${seriesKeyOf(series)}  the ${request.from} has nothing of it`)
  for await (const one of source.find(request.wanted, { signal, onMissing })) found.push(one)
  if (found.length === 0) throw nothing(request)
  const tracker = new ExportTracker(found, request.from === 'archive')
  const screen = await openExportScreen(out, tracker)
  try {
    const bytes = await write({ request, app, source, found, tracker, signal })
    return {
      format: request.format, file: request.path, series: found.length, partitions: tracker.total,
      rows: tracker.rows, bytes, seconds: (Date.now() - startedMs) / 1_000,
    }
  } finally {
    screen.end()
  }
}

async function write(e: Export): Promise<number> {
  const { request: { path, format }, signal } = e
  const put = async (pieces: AsyncIterable<string | Uint8Array>): Promise<number> => {
    const bytes = abortable(pieces, signal)
    return path === null ? await writeTo(process.stdout, bytes) : await writeWhole(path, bytes)
  }
  if (format === 'parquet') return await withScratch(path, async (folder) => await put(await merged(e, folder)))
  if (format === 'arrow') return await put((await import('../lake/arrow-candles.js')).arrowCandles(rowsOf(e)))
  const text = textRows(format, rowsOf(e))
  return await put(format === 'csv.gz' ? gzipped(text) : text)
}

/** The series one after the other, counted. */
function* rowsOf({ source, found, tracker, signal }: Export): Generator<SeriesRows> {
  for (const one of found) {
    tracker.begin(one)
    const batches = source.read(one.at, { signal, onProgress: (progress) => tracker.downloaded(progress) })
    yield { series: one.at, batches: tracker.counted(batches) }
  }
}

async function merged(e: Export, folder: string): Promise<AsyncIterable<Uint8Array>> {
  const paths: string[] = []
  for (const one of e.found) {
    e.tracker.begin(one)
    const onProgress = e.tracker.downloaded.bind(e.tracker)
    for await (const file of e.source.files(one.at, { scratch: folder, signal: e.signal, onProgress })) {
      paths.push(file.path)
      e.tracker.reached(file.month)
    }
  }
  const path = join(folder, 'merged.parquet')
  e.tracker.rows = await e.app.mergeParquet({ paths, range: e.request.wanted.range, path, signal: e.signal })
  return piecesOf(path)
}

/** A folder for intermediate files: beside the file to be, where there is room for it anyway. */
async function withScratch<T>(path: string | null, work: (folder: string) => Promise<T>): Promise<T> {
  const beside = path === null ? tmpdir() : dirname(path)
  const folder = await mkdtemp(join(beside, '.candlelake-export-')).catch((thrown: unknown) => {
    const facts = { at: path, do: 'name another one' }
    throw new PipelineError('BAD_USAGE', 'the folder cannot be written to', facts, thrown)
  })
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function* abortable<T>(pieces: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  for await (const piece of pieces) {
    signal.throwIfAborted()
    yield piece
  }
}

const nothing = ({ from }: ExportRequest): PipelineError =>
  new PipelineError('NOTHING_MATCHES', `the ${from} has nothing of what was asked`, {
    at: '--symbols, --intervals, --from, --to',
    do: from === 'lake' ? 'see candlelake status, bring it in with candlelake backfill, or use --from-archive'
      : 'check the names, or widen the range',
  })

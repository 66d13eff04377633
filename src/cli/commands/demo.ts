import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { SampleFacts } from '../../archive-server/sample.js'
import type { App } from '../app.js'
import { EXIT_ERROR, EXIT_INTERRUPTED, type CommandSpec, type Context, type FlagValues } from '../command.js'
import { requestOf } from '../request-flags.js'
import type { RunSummary } from '../run-summary.js'
import type { RunTracker } from '../run-tracker.js'
import { fired } from './worker.js'

export const demo: CommandSpec = {
  name: 'demo',
  sentence: 'Runs the whole pipeline on this machine over a small generated archive, and queries the result.',
  example: 'candlelake demo --keep',
  flags: [{ flag: '--keep', help: 'leave the dashboard and the archive server up until Ctrl-C' }],
  exits: [[0, 'all verified'], EXIT_ERROR, [2, 'some quarantined or failed'], EXIT_INTERRUPTED],
  works: true,
  run,
}

async function run(context: Context, flags: FlagValues): Promise<number> {
  const [{ writeSampleArchive }, { startArchiveServer }] = await Promise.all([
    import('../../archive-server/sample.js'), import('../../archive-server/server.js'),
  ])
  const root = await mkdtemp(join(tmpdir(), 'candlelake-demo-'))
  const archive = join(root, 'archive')
  let shown = false
  try {
    context.out.note('Writing a small archive: two symbols, two intervals, three months, one gap, one stale CHECKSUM')
    const facts = await writeSampleArchive(archive)
    const server = await startArchiveServer({ root: archive })
    try {
      const end = await pipeline(context, { root, archiveUrl: server.url, facts, keep: flags['keep'] === true })
      shown = end.shown
      return end.code
    } finally {
      await server.close()
    }
  } finally {
    // The lake stays where lines were printed that read it.
    await rm(shown ? archive : root, { recursive: true, force: true })
  }
}

type Demo = { root: string; archiveUrl: string; facts: SampleFacts; keep: boolean }

async function pipeline(context: Context, o: Demo): Promise<{ readonly code: number; readonly shown: boolean }> {
  const { out, interrupts } = context
  const { EventRelay, reportRun, workRun } = await import('../work-run.js')
  const events = new EventRelay()
  const home = join(o.root, 'home')
  const lake = join(o.root, 'lake')
  const settings = { CANDLELAKE_HOME: home, LAKE_URL: pathToFileURL(lake).href, ARCHIVE_URL: o.archiveUrl }
  const app = await context.openApp({ observe: events.observe, isolated: settings })
  try {
    out.note(`Archive at ${o.archiveUrl}, everything else in ${o.root}`)
    const startedMs = Date.now()
    const { runId, downloadBytes } = await plan(context, app, o, startedMs)
    const done = await workRun(context, { app, events, runId, downloadBytes, concurrency: {}, startedMs })
    if (out.json && interrupts.ending === null) await sayQuery(context, app, lake)
    const code = reportRun(context, done.summary, 'A demo keeps nothing of it.')
    if (interrupts.ending !== null) return { code, shown: false }
    if (!out.json) {
      await sayFigures(context, done)
      await sayQuery(context, app, lake)
    }
    if (o.keep) await keepUp(context, app, o.archiveUrl)
    return { code, shown: true }
  } finally {
    await app.discard()
    await rm(home, { recursive: true, force: true })
  }
}

async function plan({ out, interrupts }: Context, app: App, o: Demo, startedMs: number) {
  const { renderPlanned } = await import('../render/plan.js')
  const { openPlanningLine } = await import('../planning-line.js')
  const { symbols, intervals, from, to } = o.facts
  const asked = { symbols, intervals, from, to }
  const request = await requestOf(asked, startedMs, () => Promise.resolve(''))
  const line = await openPlanningLine(out)
  const report = await app
    .plan(request, {
      dryRun: false,
      force: false,
      asked,
      signal: interrupts.signal,
      onProgress: (figures) => line.show(figures.partitions),
    })
    .finally(() => line.end())
  if (!out.json) out.note(renderPlanned(report, { verified: 0, seconds: (Date.now() - startedMs) / 1_000 }))
  return { runId: report.run?.id ?? '', downloadBytes: report.downloadBytes }
}

type Done = { readonly summary: RunSummary; readonly tracker: RunTracker }

async function sayFigures({ out }: Context, { summary, tracker }: Done): Promise<void> {
  const { formatBytes, formatCount, formatRowRate, plural } = await import('../render/format.js')
  const { kindsInWords } = await import('../render/findings.js')
  const found = tracker.findings()
  const pace = formatRowRate(summary.rows / summary.seconds)
  out.result(
    `${plural(summary.total, 'partition')}, ${formatCount(summary.rows)} rows at ${pace}, ` +
      `${formatBytes(summary.bytesIn)} in, ${formatBytes(summary.bytesOut)} out`,
    `Findings: ${found.size === 0 ? 'none' : kindsInWords(found)}`,
  )
}

const QUERY = 'select symbol, interval, count(*) as bars, max(high) as high, round(sum(volume), 1) as volume ' +
  'from spot_klines group by all order by all'

async function sayQuery({ out }: Context, app: App, lake: string): Promise<void> {
  const result = (await app.query()).sql(QUERY)
  const columns = await result.schema()
  const rows = await result.rows()
  if (out.json) {
    const names = columns.map(({ name }) => name)
    const items = rows.map((row) => names.map((name) => row[name]))
    if (!out.quiet) out.resultJson({ v: 1, type: 'query', sql: QUERY, columns: names, items })
    return
  }
  const { resultLines } = await import('../render/result.js')
  const table = resultLines('table', columns, rows, true)
  const glob = `${lake}/spot-klines/**/data.parquet`
  out.result(
    '',
    `SQL: ${QUERY}`,
    ...table,
    '',
    'Paste into DuckDB:',
    `  select symbol, max(high) from read_parquet('${glob}') group by symbol;`,
    'Paste into Python, with Polars:',
    `  import polars as pl; print(pl.scan_parquet('${glob}').group_by('symbol').agg(pl.max('high')).collect())`,
  )
}

async function keepUp({ out, interrupts }: Context, app: App, archiveUrl: string): Promise<void> {
  const serving = await app.serve({ host: '127.0.0.1', port: 0 })
  if (out.json) out.resultJson({ v: 1, type: 'server', url: serving.url, archiveUrl })
  else out.result('', `Dashboard: ${serving.url}`, `Archive:   ${archiveUrl}`, 'Ctrl-C ends them.')
  await fired(interrupts.signal)
  await serving.close()
}

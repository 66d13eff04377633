import { PipelineError } from '../../domain/errors.js'
import { isoOfUs } from '../../domain/month.js'
import { seriesKeyOf, type Series } from '../../domain/partition.js'
import type { Synced, Unsynced } from '../../lake/sync-hot.js'
import { EXIT_ERROR, EXIT_INTERRUPTED, EXIT_OK, type CommandSpec, type Context, type FlagValues } from '../command.js'
import { REQUEST_FLAGS, wantedOf } from '../request-flags.js'

/** The flags that name series one by one. */
export const SERIES_FLAGS = REQUEST_FLAGS.filter(({ flag }) => !/^--(type|from|to) /.test(flag)).map((one) =>
  one.flag.startsWith('--symbols') ? { ...one, help: 'names: BTCUSDT,ETHUSDT' } : one)

export const sync: CommandSpec = {
  name: 'sync',
  sentence: 'Brings hot rows up to now: closed candles from the exchange, after the newest row there is.',
  example: 'candlelake sync --symbols BTCUSDT,ETHUSDT --intervals 1m,1h',
  flags: [
    ...SERIES_FLAGS,
    { flag: '--from <time>', help: 'a UTC instant or month to begin at (default: after the newest hot row)' },
  ],
  exits: [EXIT_OK, EXIT_ERROR, [2, 'the exchange refused some'], EXIT_INTERRUPTED],
  works: true,
  run,
}

/** The series that flags name. @throws {BAD_USAGE} and what wrong names are refused with */
export async function seriesOf(flags: FlagValues): Promise<{ series: readonly Series[]; fromUs: bigint | null }> {
  const { dataset, symbols, intervals, range } = await wantedOf(flags, () => Promise.resolve(''))
  if (!('names' in symbols) || intervals === null) {
    throw new PipelineError('BAD_USAGE', 'here every series is named', {
      at: '--symbols, --intervals', do: 'name them: --symbols BTCUSDT,ETHUSDT --intervals 1m,1h',
    })
  }
  const series = symbols.names.flatMap((symbol) => intervals.map((interval) => ({ dataset, symbol, interval })))
  return { series, fromUs: range.fromUs }
}

/** @throws {BAD_MARKET} */
export function checkSpot(series: readonly Series[]): void {
  if (series.every(({ dataset }) => dataset === 'spot-klines')) return
  const facts = { at: '--market', do: 'use spot' }
  throw new PipelineError('BAD_MARKET', 'only spot candles are read from the exchange', facts)
}

async function run(context: Context, flags: FlagValues): Promise<number> {
  const { out, interrupts } = context
  const wanted = await seriesOf(flags)
  checkSpot(wanted.series)
  const { formatSeconds, plural } = await import('../render/format.js')
  const startedMs = Date.now()
  const app = await context.openApp()
  const sum = { series: 0, rows: 0, stored: 0, refused: 0 }
  try {
    for await (const one of app.sync({ ...wanted, signal: interrupts.signal })) {
      if ('refusal' in one) {
        if (wanted.series.length === 1) throw one.refusal
        sum.refused++
        await tellRefused(context, one)
        continue
      }
      sum.series++
      sum.rows += one.rows
      sum.stored += one.stored
      if (out.json && !out.quiet) out.resultJson({ v: 1, type: 'synced', ...shown(one) })
      else if (out.verbose) out.note(`${seriesKeyOf(one.series)}  ${plural(one.rows, 'row')}`)
    }
  } catch (thrown) {
    if (interrupts.ending === null) throw thrown
  }
  const seconds = (Date.now() - startedMs) / 1_000
  if (out.json) out.resultJson({ v: 1, type: 'summary', ...sum, seconds })
  else if (sum.rows === 0) out.result(`Nothing new of ${sum.series} series${refused(sum)}.`)
  else out.result(`Stored ${plural(sum.stored, 'row')} of ${sum.series} series in ${formatSeconds(seconds)}${refused(sum)}.`)
  return interrupts.ending?.code ?? (sum.refused > 0 ? 2 : 0)
}

async function tellRefused({ out }: Context, { series, refusal: { code, message } }: Unsynced): Promise<void> {
  const { renderFinding } = await import('../render/findings.js')
  const partition = seriesKeyOf(series)
  if (!out.json) out.result(renderFinding({ partition, text: message, bad: true, width: out.width, paint: out.paint.out }))
  else if (!out.quiet) out.resultJson({ v: 1, type: 'failure', series: partition, code, why: message })
}

const refused = (sum: { refused: number }): string => (sum.refused === 0 ? '' : `; the exchange refused ${sum.refused}`)

const iso = (us: bigint | null): string | null => (us === null ? null : isoOfUs(us))

export const shown = ({ series, firstUs, lastUs, ...one }: Synced) =>
  ({ series: seriesKeyOf(series), ...one, first: iso(firstUs), last: iso(lastUs) })

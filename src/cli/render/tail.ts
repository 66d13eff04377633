import type { Candle } from '../../domain/candle-row.js'
import { dateOfUs } from '../../domain/month.js'
import type { FeedCandle, FeedEvent } from '../../domain/ports/hot-feed.js'
import { formatInstant, plural } from './format.js'
import type { Paint } from './paint.js'

type Row = FeedCandle<Candle<unknown>>

const COLUMNS = ['open time', 'open', 'high', 'low', 'close', 'volume', 'trades'] as const

/** Lines of a table that grows for ever: its head comes first, and again when a value needs a wider column. */
export function tailTable(paint: Paint): (row: Row) => readonly string[] {
  const widths: number[] = COLUMNS.map((title) => title.length)
  let headed = false
  return (row) => {
    const { open, high, low, close, volume, trades } = row
    const cells = [formatInstant(dateOfUs(row.openTimeUs)), open, high, low, close, volume, trades].map(String)
    const wider = cells.some((cell, i) => cell.length > (widths[i] ?? 0))
    cells.forEach((cell, i) => (widths[i] = Math.max(widths[i] ?? 0, cell.length)))
    const line = (values: readonly string[]): string =>
      values.map((value, i) => value.padStart(widths[i] ?? 0)).join('  ')
    const head = !headed || wider ? [paint.dim(line(COLUMNS))] : []
    headed = true
    return [...head, row.corrected ? paint.yellow(`${line(cells)}  corrected`) : line(cells)]
  }
}

/** What a person is told of a gap that was closed, or could not be. */
export function healedInWords(event: Exclude<FeedEvent, { type: 'candles' }>): string {
  if (event.type === 'restarted') return '! the database is another one or was restored: what lies between is not told'
  const away = event.awayMs === null ? '' : ` after ${(event.awayMs / 1_000).toFixed(1)} s`
  return `resumed${away}, caught up on ${plural(event.rows, 'row')}`
}

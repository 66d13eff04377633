import { CSV_FIELDS } from '../domain/candle.js'
import { classifyFirstLine } from '../domain/csv-header.js'
import type { FindingCode } from '../domain/findings.js'
import type { TimeRange } from '../domain/month.js'
import { CLOSE_TIME, grow, OPEN_TIME, setInteger, TRADES, type CandleRows } from './candle-rows.js'
import { BadCell, parseDecimal, parseTime, storeCount, storeValue, type Decimal } from './csv-cell.js'
import { readFastRows, takerAboveTotal, type ReadState } from './csv-fast-rows.js'
import { corrupt, type FindingsLog } from './findings-log.js'

/** A row of twelve numbers has some 130 bytes; what is longer than this is no row. */
const LINE_MAX = 4_096
/** A bar of a month closes before the month's end plus the longest step; the archive's odd bars miss it by hours. */
const CLOSE_SLACK_US = 32 * 86_400_000_000
const NEWLINE = 10
const BYTE_ORDER_MARK = '\u00ef\u00bb\u00bf'
const PRINTABLE = /^[\t -~]*$/

/**
 * Reads the CSV of one source into rows, whatever pieces it comes in. Lines of the usual form go through
 * `readFastRows`; this careful reader takes the others, accepts what the verdict table accepts, and keeps the first
 * thing that it cannot accept as `failure` instead of throwing: a broken ZIP explains a broken row, so the caller looks
 * at the ZIP's checksum first.
 */
export class CsvSource {
  readonly #rows: CandleRows
  readonly #log: FindingsLog
  readonly #name: string
  readonly #state: ReadState
  readonly #maxRows: number
  #carry: Uint8Array = new Uint8Array(0)
  #started = false
  #blank = false
  /** Rows of this source, the header left out. */
  rowCount = 0
  failure: Error | null = null

  constructor(o: { rows: CandleRows; log: FindingsLog; name: string; range: TimeRange; maxRows: number }) {
    this.#rows = o.rows
    this.#log = o.log
    this.#name = o.name
    this.#maxRows = o.maxRows
    const fromUs = Number(o.range.fromUs)
    const toUs = Number(o.range.toUs)
    const close = { closeFromUs: fromUs - CLOSE_SLACK_US, closeToUs: toUs + CLOSE_SLACK_US }
    this.#state = { fromUs, toUs, ...close, unit: null, inexactValues: 0 }
  }

  /** Values that a double does not hold to the eighth decimal. */
  get inexactValues(): number {
    return this.#state.inexactValues
  }

  /** Takes the next piece; it must stay unchanged only during the call. */
  push(chunk: Uint8Array): void {
    if (this.failure) return
    const first = this.#carry.length === 0 ? 0 : chunk.indexOf(NEWLINE) + 1
    if (this.#carry.length > 0) {
      this.#carry = Buffer.concat([this.#carry, first === 0 ? chunk : chunk.subarray(0, first)])
      if (first === 0) return this.#checkCarry()
      this.#lines(this.#carry, 0, this.#carry.length)
    }
    const end = chunk.lastIndexOf(NEWLINE) + 1
    if (end > first) this.#lines(chunk, first, end)
    this.#carry = chunk.slice(Math.max(end, first))
    this.#checkCarry()
  }

  /** To be called after the last piece: a last row may lack its newline, and a source without rows is refused. */
  end(): void {
    if (this.#carry.length > 0 && !this.failure)
      this.#guarded(() => this.#line(latin1(this.#carry, 0, this.#carry.length)))
    if (!this.failure && this.rowCount === 0) this.#fail('NO_ROWS', 'the file has no rows', null)
  }

  #checkCarry(): void {
    if (this.#carry.length <= LINE_MAX || this.failure) return
    this.#fail('ROW_MALFORMED', `row ${this.rowCount + 1}: a line of more than ${LINE_MAX} bytes`, this.rowCount + 1)
  }

  #lines(bytes: Uint8Array, from: number, end: number): void {
    this.#guarded(() => {
      let at = from
      while (at < end) {
        const before = this.#rows.count
        if (!this.#blank) at = readFastRows(bytes, at, end, this.#rows, this.#state)
        this.rowCount += this.#rows.count - before
        if (this.#rows.count > this.#maxRows)
          this.#fail('ROW_MALFORMED', `more than ${this.#maxRows} rows, twice what a month holds`, null)
        if (at >= end || this.failure) return
        const newline = bytes.indexOf(NEWLINE, at)
        this.#line(latin1(bytes, at, newline))
        at = newline + 1
      }
    })
  }

  #guarded(read: () => void): void {
    try {
      read()
    } catch (thrown) {
      if (!(thrown instanceof BadCell)) throw thrown
      this.#fail(thrown.finding, `row ${this.rowCount + 1}: ${thrown.message}`, this.rowCount + 1)
    }
  }

  #fail(finding: FindingCode, example: string, row: number | null): void {
    this.failure = corrupt(finding, example, { source: this.#name, row })
  }

  #line(raw: string): void {
    let line = raw
    if (!this.#started && line.startsWith(BYTE_ORDER_MARK)) {
      line = line.slice(BYTE_ORDER_MARK.length)
      this.#log.add('BYTE_ORDER_MARK', () => this.#name)
    }
    if (line.endsWith('\r')) {
      line = line.slice(0, -1)
      this.#log.add('CARRIAGE_RETURNS', () => `${this.#name} row ${this.rowCount + 1}`)
    }
    if (line.trim() === '') {
      this.#blank = true
      return
    }
    if (this.#blank) throw new BadCell('ROW_MALFORMED', 'it follows an empty line')
    const started = this.#started
    this.#started = true
    if (!started && this.#header(line)) return
    this.#row(line)
  }

  #header(line: string): boolean {
    const kind = classifyFirstLine(line)
    if (kind === 'usual') this.#log.add('HEADER_PRESENT', () => this.#name)
    if (kind === 'unusual') this.#log.add('HEADER_UNUSUAL', () => `${this.#name}: ${line}`)
    return kind !== 'row'
  }

  #row(line: string): void {
    if (line.length > LINE_MAX) throw new BadCell('ROW_MALFORMED', `a line of ${line.length} bytes`)
    const cells = line.split(',')
    if (cells.length !== CSV_FIELDS.length) {
      throw new BadCell('ROW_MALFORMED', `${cells.length} fields in place of ${CSV_FIELDS.length}: "${line}"`)
    }
    if (!PRINTABLE.test(line) || line.includes('"'))
      throw new BadCell('ROW_MALFORMED', `not a row of numbers: "${line}"`)
    if (this.#rows.count === this.#rows.capacity) grow(this.#rows)
    const values = this.#rows.columns.map((column, index) => this.#value(column.name, cells[index] ?? ''))
    this.#store(values)
    this.#rows.count++
    this.rowCount++
  }

  #value(name: string, cell: string): Decimal {
    const text = cell.trim()
    const value = parseDecimal(name, text)
    const where = () => `${this.#name} row ${this.rowCount + 1}: ${name} "${cell}"`
    if (text !== cell) this.#log.add('SPACES_AROUND_VALUES', where)
    if (value.exponent) this.#log.add('EXPONENT_NOTATION', where)
    return value
  }

  #store(values: readonly Decimal[]): void {
    const { columns, count: row } = this.#rows
    this.#storeTimes(values[OPEN_TIME]!, values[CLOSE_TIME]!)
    let inexact = 0
    for (const [index, column] of columns.entries()) {
      const value = values[index]!
      if (index === TRADES) storeCount(column, row, value)
      else if (column.kind !== 'instant' && storeValue(column, row, value)) inexact++
    }
    if (takerAboveTotal(this.#rows, row)) {
      const told = [9, 5, 10, 7].map((index) => `${columns[index]!.name} ${values[index]!.text}`).join(', ')
      throw new BadCell('TAKER_ABOVE_TOTAL', told)
    }
    this.#state.inexactValues += inexact
  }

  #storeTimes(openText: Decimal, closeText: Decimal): void {
    const { columns, count: row } = this.#rows
    const state = this.#state
    const open = parseTime('open_time', openText)
    const close = parseTime('close_time', closeText)
    if (open.us < state.fromUs || open.us >= state.toUs) {
      throw new BadCell('ROW_OUTSIDE_PARTITION', `open_time ${openText.text} is not of this month`)
    }
    if (close.us < state.closeFromUs || close.us >= state.closeToUs) {
      throw new BadCell('TIME_IMPLAUSIBLE', `close_time ${closeText.text} is more than a month away`)
    }
    state.unit ??= open.unit
    if (open.unit !== state.unit || close.unit !== state.unit) {
      this.#log.add(
        'MIXED_TIME_UNITS',
        () => `${this.#name} row ${this.rowCount + 1}: ${openText.text}, ${closeText.text}`,
      )
    }
    setInteger(columns[OPEN_TIME]!, row, open.us)
    setInteger(columns[CLOSE_TIME]!, row, close.us)
  }
}

const latin1 = (bytes: Uint8Array, from: number, to: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1')

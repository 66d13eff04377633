import { expect } from 'chai'
import fc from 'fast-check'
import { emptyRows, integerAt, type CandleRows } from '../../../src/sources/candle-rows.js'
import { CsvSource } from '../../../src/sources/csv-source.js'
import { FindingsLog } from '../../../src/sources/findings-log.js'
import { LogicalHash } from '../../../src/adapters/engine/logical-hash.js'
import type { NumericType } from '../../../src/domain/candle.js'
import { monthRange } from '../../../src/domain/month.js'
import { canonical } from '../../support/csv-oracle.js'
import { csvOf, hourLines, withCell } from '../../support/engine-harness.js'

type Read = { rows: CandleRows; failure: Error | null; findings: string[]; inexact: number }

function read(pieces: readonly Buffer[], numericType: NumericType = 'double', capacity = 8): Read {
  const rows = emptyRows(numericType, capacity)
  const log = new FindingsLog()
  const csv = new CsvSource({ rows, log, name: 'x.zip', range: monthRange('2024-01'), maxRows: 10_000 })
  for (const piece of pieces) csv.push(piece)
  csv.end()
  return { rows, failure: csv.failure, findings: log.findings.map((one) => one.code), inexact: csv.inexactValues }
}

const hashOf = (rows: CandleRows): string => {
  const hash = new LogicalHash()
  hash.add(rows)
  return hash.text
}

function cut(content: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % content.length).sort((a, b) => a - b), content.length]
  return at.slice(1).map((end, index) => content.subarray(at[index], end))
}

describe('reader of a source', () => {
  it('reads the same from any pieces of a file', () => {
    const crlf = Buffer.from(`${hourLines(40).join('\r\n')}\r\n\r\n`)
    const whole = read([crlf])
    expect(whole.failure).to.equal(null)
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 30 }), (places) => {
        const pieces = read(cut(crlf, places))
        expect(pieces.rows.count).to.equal(40)
        expect(hashOf(pieces.rows)).to.equal(hashOf(whole.rows))
        expect(pieces.findings).to.deep.equal(whole.findings)
      }),
    )
  })

  const digits = (max: number): fc.Arbitrary<string> => fc.stringMatching(new RegExp(`^[0-9]{1,${max}}$`))
  const decimal = fc
    .tuple(digits(13), fc.option(digits(8), { nil: null }))
    .map(([whole, part]) => (part === null ? whole : `${whole}.${part}`))

  it('gives every volume its nearest double, and counts those that eight decimals tell apart', () => {
    fc.assert(
      fc.property(decimal, (text) => {
        // The first row goes through the careful reader, the third through the fast one.
        const lines = [0, 2].reduce((all, row) => withCell(withCell(all, row, 5, text), row, 9, '0'), hourLines(4))
        const { rows, inexact, failure } = read([csvOf(lines)])
        expect(failure).to.equal(null)
        expect([rows.columns[5]!.doubles[0], rows.columns[5]!.doubles[2]]).to.deep.equal([Number(text), Number(text)])
        expect(inexact).to.equal(canonical(Number(text).toFixed(8)) === canonical(text) ? 0 : 2)
      }),
      { numRuns: 2_000 },
    )
  })

  it('gives every volume of a decimal lake exactly', () => {
    fc.assert(
      fc.property(decimal, (text) => {
        const lines = [0, 2].reduce((all, row) => withCell(withCell(all, row, 5, text), row, 9, '0'), hourLines(4))
        const { rows, failure } = read([csvOf(lines)], 'decimal')
        expect(failure).to.equal(null)
        const { words } = rows.columns[5]!
        const stored = [0, 2].map((row) =>
          [3, 2, 1, 0].reduce((sum, word) => (sum << 32n) | BigInt(words[row * 4 + word]!), 0n),
        )
        const [whole = '', part = ''] = text.split('.')
        const wanted = BigInt(whole + part.padEnd(8, '0'))
        expect(stored).to.deep.equal([wanted, wanted])
      }),
      { numRuns: 2_000 },
    )
  })

  it('takes a time by its magnitude: 13 digits are milliseconds, 16 microseconds', () => {
    for (const unit of ['ms', 'us'] as const) {
      const { rows } = read([csvOf(hourLines(3, unit))])
      expect([0, 1, 2].map((row) => integerAt(rows.columns[0]!, row))).to.deep.equal(
        [0, 1, 2].map((hour) => Date.UTC(2024, 0, 1, hour) * 1_000),
      )
    }
  })

  it('stops a file of more rows than two months have', () => {
    const rows = emptyRows('double', 8)
    const csv = new CsvSource({ rows, log: new FindingsLog(), name: 'x', range: monthRange('2024-01'), maxRows: 20 })
    csv.push(csvOf(hourLines(40)))
    csv.end()
    expect(csv.failure?.message).to.include('more than 20 rows')
  })

  it('says which row of which file, in printable words', () => {
    const { failure } = read([csvOf(withCell(hourLines(9), 6, 5, '\u0007-3'))])
    expect(failure).to.have.property('code', 'CORRUPT')
    expect(failure?.message).to.match(/^x\.zip: row 7: [ -~]+$/)
  })
})

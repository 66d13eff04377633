import { expect } from 'chai'
import { existsSync } from 'node:fs'
import { deflateRawSync } from 'node:zlib'
import { openEngine, type EnginePool } from '../../../src/adapters/engine/engine-pool.js'
import type { NumericType } from '../../../src/domain/candle.js'
import { PipelineError } from '../../../src/domain/errors.js'
import { decisionOf, type FindingCode } from '../../../src/domain/findings.js'
import { monthRange } from '../../../src/domain/month.js'
import { readWithOracle } from '../../support/csv-oracle.js'
import {
  csvOf,
  EngineFolder,
  expectedRows,
  HOURS,
  hourLines,
  memberNameOf,
  ParquetReader,
  withCell,
  zipOf,
  type StagedBytes,
} from '../../support/engine-harness.js'
import { buildZip, type BuiltMember } from '../../support/zip-builder.js'

/** What becomes of a file: a quarantining finding or error code, or the findings it is accepted with. */
type Outcome = FindingCode | 'ZIP_CORRUPT' | 'ZIP_REFUSED' | 'STAGING_LOST' | readonly FindingCode[]
type Case = { readonly what: string; readonly csv: Buffer; readonly double: Outcome; readonly decimal?: Outcome }
type ZipCase = { readonly what: string; readonly staged: StagedBytes; readonly outcome: Outcome }

const NAME = memberNameOf(HOURS)
const lines = hourLines(48)
const good = csvOf(lines)
const header =
  'open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore'
const cell = (row: number, field: number, text: string): Buffer => csvOf(withCell(lines, row, field, text))
const swapped = [...lines.slice(0, 9), lines[10]!, lines[9]!, ...lines.slice(11)]
const microseconds = (row: number): Buffer =>
  csvOf(lines.map((line, i) => (i === row ? hourLines(48, 'us')[row]! : line)))
const text = (s: string): Buffer => Buffer.from(s, 'latin1')

const CASES: readonly Case[] = [
  { what: 'a good file', csv: good, double: [] },
  { what: 'microseconds', csv: csvOf(hourLines(48, 'us')), double: [] },
  { what: 'a header', csv: csvOf([header, ...lines]), double: ['HEADER_PRESENT'] },
  {
    what: 'a header of other names',
    csv: csvOf([header.replace('count', 'number_of_trades'), ...lines]),
    double: ['HEADER_UNUSUAL'],
  },
  {
    what: 'a header whose columns have moved',
    csv: csvOf([header.replace('open,high', 'high,open'), ...lines]),
    double: 'VALUE_NOT_A_NUMBER',
  },
  { what: 'a header only', csv: csvOf([header]), double: 'NO_ROWS' },
  { what: 'a second header within', csv: csvOf([...lines, header]), double: 'VALUE_NOT_A_NUMBER' },
  { what: 'an empty file', csv: Buffer.alloc(0), double: 'NO_ROWS' },
  { what: 'only line ends', csv: text('\r\n\n\n'), double: 'NO_ROWS' },
  {
    what: 'a row too short',
    csv: csvOf([...lines, lines[0]!.split(',').slice(0, 11).join(',')]),
    double: 'ROW_MALFORMED',
  },
  { what: 'a row too long', csv: csvOf([`${lines[0]!},0`, ...lines.slice(1)]), double: 'ROW_MALFORMED' },
  { what: 'a truncated last line', csv: good.subarray(0, good.length - 40), double: 'ROW_MALFORMED' },
  { what: 'no newline at the end', csv: good.subarray(0, good.length - 1), double: [] },
  { what: 'an HTML page', csv: text('<!DOCTYPE html><html><body>busy</body></html>\n'), double: 'ROW_MALFORMED' },
  {
    what: 'an XML error',
    csv: text('<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>'),
    double: 'ROW_MALFORMED',
  },
  { what: 'NUL bytes between rows', csv: Buffer.concat([good, Buffer.alloc(32)]), double: 'ROW_MALFORMED' },
  { what: 'a NUL in a number', csv: cell(3, 1, '42\u0000.1'), double: 'ROW_MALFORMED' },
  { what: 'a file of one endless line', csv: Buffer.alloc(100_000, '1'), double: 'ROW_MALFORMED' },
  { what: 'UTF-16', csv: Buffer.from(`\ufeff${lines.join('\n')}`, 'utf16le'), double: 'ROW_MALFORMED' },
  { what: 'text in a number', csv: cell(5, 4, 'abc'), double: 'VALUE_NOT_A_NUMBER' },
  { what: 'two points', csv: cell(5, 4, '1.2.3'), double: 'VALUE_NOT_A_NUMBER' },
  { what: 'an underscore in a number', csv: cell(5, 8, '1_000'), double: 'VALUE_NOT_A_NUMBER' },
  { what: 'a hexadecimal number', csv: cell(5, 8, '0x10'), double: 'VALUE_NOT_A_NUMBER' },
  { what: 'a plus sign', csv: cell(5, 5, '+5'), double: 'VALUE_NOT_A_NUMBER' },
  { what: 'a point alone', csv: cell(5, 5, '.'), double: 'VALUE_NOT_A_NUMBER' },
  { what: '"1,000.0"', csv: cell(5, 4, '"1,000.0"'), double: 'ROW_MALFORMED' },
  { what: 'a quoted number', csv: cell(5, 4, '"1000"'), double: 'ROW_MALFORMED' },
  { what: 'an open quote', csv: cell(5, 4, '"1000'), double: 'ROW_MALFORMED' },
  { what: 'NaN', csv: cell(5, 1, 'NaN'), double: 'VALUE_NOT_FINITE' },
  { what: 'nan in a volume', csv: cell(5, 5, 'nan'), double: 'VALUE_NOT_FINITE' },
  { what: 'inf', csv: cell(5, 2, 'inf'), double: 'VALUE_NOT_FINITE' },
  { what: '-Infinity', csv: cell(5, 7, '-Infinity'), double: 'VALUE_NOT_FINITE' },
  { what: '1e400', csv: cell(5, 2, '1e400'), double: 'VALUE_NOT_FINITE' },
  { what: 'a negative price', csv: cell(5, 3, '-1.5'), double: 'PRICE_NOT_POSITIVE' },
  { what: 'a price of zero', csv: cell(5, 3, '0.00000000'), double: 'PRICE_NOT_POSITIVE' },
  {
    what: 'a price too small for a double',
    csv: cell(5, 3, '1e-400'),
    double: 'PRICE_NOT_POSITIVE',
    decimal: 'DECIMALS_EXCEEDED',
  },
  { what: 'a negative volume', csv: cell(5, 5, '-0.00000001'), double: 'VOLUME_NEGATIVE' },
  { what: 'a volume of minus zero', csv: csvOf(withCell(withCell(lines, 5, 5, '-0.0'), 5, 9, '0')), double: [] },
  { what: 'takers above the total', csv: cell(5, 9, '99999999.0'), double: 'TAKER_ABOVE_TOTAL' },
  { what: 'takers above the quote total', csv: cell(5, 10, '99999999999.0'), double: 'TAKER_ABOVE_TOTAL' },
  { what: 'an empty number', csv: cell(5, 7, ''), double: 'VALUE_MISSING' },
  { what: 'an empty time', csv: cell(5, 6, ''), double: 'VALUE_MISSING' },
  { what: 'an empty field that is ignored', csv: cell(5, 11, ''), double: [] },
  { what: 'decimals in the ignored field', csv: cell(5, 11, '123.456'), double: [] },
  { what: 'words in the ignored field', csv: cell(5, 11, 'n/a'), double: [] },
  { what: 'trades with decimals', csv: cell(5, 8, '12.5'), double: 'VALUE_NOT_A_NUMBER' },
  { what: 'negative trades', csv: cell(5, 8, '-3'), double: 'VALUE_OUT_OF_RANGE' },
  { what: 'trades beyond 2^53', csv: cell(5, 8, '9007199254740993'), double: 'VALUE_OUT_OF_RANGE' },
  { what: 'an exact duplicate', csv: csvOf([...lines.slice(0, 6), ...lines.slice(5)]), double: ['DUPLICATE_ROWS'] },
  {
    what: 'a conflicting duplicate',
    csv: csvOf([...lines, withCell(lines, 5, 5, '99999')[5]!]),
    double: 'CONFLICTING_ROWS',
  },
  { what: 'rows out of order', csv: csvOf(swapped), double: ['ROWS_OUT_OF_ORDER'] },
  { what: 'all rows twice', csv: csvOf([...lines, ...lines]), double: ['ROWS_OUT_OF_ORDER', 'DUPLICATE_ROWS'] },
  { what: 'ms and microseconds in one file', csv: microseconds(20), double: ['MIXED_TIME_UNITS'] },
  { what: 'seconds', csv: cell(5, 0, '1704067200'), double: 'TIME_IMPLAUSIBLE' },
  { what: 'nanoseconds', csv: cell(5, 0, '1704067200000000000'), double: 'TIME_IMPLAUSIBLE' },
  { what: 'a row of the month before', csv: cell(0, 0, '1704067199999'), double: 'ROW_OUTSIDE_PARTITION' },
  { what: 'a row of the month after', csv: cell(47, 0, '1706745600000'), double: 'ROW_OUTSIDE_PARTITION' },
  { what: 'a close in another year', csv: cell(5, 6, '1804067200000'), double: 'TIME_IMPLAUSIBLE' },
  { what: 'a close before the open', csv: cell(5, 6, '1704067200000'), double: [] },
  { what: 'CRLF', csv: text(`${lines.join('\r\n')}\r\n`), double: ['CARRIAGE_RETURNS'] },
  { what: 'LF after CRLF', csv: text(`${lines[0]!}\r\n${lines.slice(1).join('\n')}\n`), double: ['CARRIAGE_RETURNS'] },
  { what: 'CR alone', csv: text(`${lines.join('\r')}\r`), double: 'ROW_MALFORMED' },
  { what: 'empty lines at the end', csv: text(`${lines.join('\n')}\n\n \n`), double: [] },
  {
    what: 'an empty line within',
    csv: text(`${lines[0]!}\n\n${lines.slice(1).join('\n')}\n`),
    double: 'ROW_MALFORMED',
  },
  { what: 'a byte order mark', csv: Buffer.concat([text('\u00ef\u00bb\u00bf'), good]), double: ['BYTE_ORDER_MARK'] },
  {
    what: 'a byte order mark and a header',
    csv: text(`\u00ef\u00bb\u00bf${header}\n${lines.join('\n')}`),
    double: ['BYTE_ORDER_MARK', 'HEADER_PRESENT'],
  },
  { what: 'spaces around a value', csv: cell(5, 1, ' 42000.5\t'), double: ['SPACES_AROUND_VALUES'] },
  { what: 'an exponent', csv: cell(5, 8, '1e3'), double: ['EXPONENT_NOTATION'] },
  { what: 'a price as exponent', csv: cell(5, 1, '4.2E+4'), double: ['EXPONENT_NOTATION'] },
  {
    what: 'numbers like 9, 9. and .5',
    csv: csvOf(withCell(withCell(withCell(lines, 5, 1, '9'), 5, 2, '9.'), 5, 3, '.5')),
    double: [],
  },
  {
    what: 'nine decimals',
    csv: cell(5, 1, '42000.123456789'),
    double: ['INEXACT_VALUES'],
    decimal: 'DECIMALS_EXCEEDED',
  },
  { what: 'nine decimals, the last a zero', csv: cell(5, 1, '42000.123456780'), double: [] },
  { what: 'a price of 10^10', csv: cell(5, 2, '10000000000'), double: [], decimal: 'VALUE_OUT_OF_RANGE' },
  {
    what: 'the largest decimal price',
    csv: cell(5, 2, '9999999999.99999999'),
    double: ['INEXACT_VALUES'],
    decimal: [],
  },
  {
    what: 'a quote volume of 18 digits',
    csv: cell(5, 7, '1234567890.12345678'),
    double: ['INEXACT_VALUES'],
    decimal: [],
  },
  {
    what: 'a volume of 30 digits',
    csv: cell(5, 5, '123456789012345678901234567890.12345678'),
    double: ['INEXACT_VALUES'],
    decimal: [],
  },
  {
    what: 'a volume of 31 digits',
    csv: cell(5, 5, '1234567890123456789012345678901'),
    double: ['INEXACT_VALUES'],
    decimal: 'VALUE_OUT_OF_RANGE',
  },
]

const other = csvOf(hourLines(20))
const members = (...list: BuiltMember[]): StagedBytes => ({ zip: buildZip(list) })
const member: BuiltMember = { name: NAME, content: good }
const flipped = (at: number): Buffer => {
  const zip = zipOf(good)
  zip[at]! ^= 0x10
  return zip
}

const ZIP_CASES: readonly ZipCase[] = [
  { what: 'a missing CHECKSUM', staged: { zip: zipOf(good), checksum: 'missing' }, outcome: ['CHECKSUM_MISSING'] },
  {
    what: 'a stale CHECKSUM',
    staged: { zip: zipOf(good), checksum: 'mismatch' },
    outcome: ['CHECKSUM_MISMATCH_CONTENT_OK'],
  },
  {
    what: 'another file than was downloaded',
    staged: { zip: zipOf(good), sha256Hex: '0'.repeat(64) },
    outcome: 'STAGING_LOST',
  },
  { what: 'no bytes at all', staged: { zip: Buffer.alloc(0) }, outcome: 'ZIP_CORRUPT' },
  { what: 'an HTML page', staged: { zip: Buffer.from('<html>busy</html>') }, outcome: 'ZIP_CORRUPT' },
  { what: 'a truncated ZIP', staged: { zip: zipOf(good).subarray(0, 900) }, outcome: 'ZIP_CORRUPT' },
  { what: 'a ZIP without its last byte', staged: { zip: zipOf(good).subarray(0, -1) }, outcome: 'ZIP_CORRUPT' },
  { what: 'a flipped bit in the data', staged: { zip: flipped(700) }, outcome: 'ZIP_CORRUPT' },
  { what: 'another CRC', staged: members({ ...member, crc32: 1 }), outcome: 'ZIP_CORRUPT' },
  { what: 'two CRCs', staged: members({ ...member, localCrc32: 1 }), outcome: 'ZIP_CORRUPT' },
  {
    what: 'a size claimed too small',
    staged: members({ ...member, claimedSize: good.length - 10 }),
    outcome: 'ZIP_CORRUPT',
  },
  {
    what: 'a size claimed too large',
    staged: members({ ...member, claimedSize: good.length + 10 }),
    outcome: 'ZIP_CORRUPT',
  },
  { what: 'a bomb', staged: members({ name: NAME, content: Buffer.alloc(50_000_000, '1') }), outcome: 'ZIP_REFUSED' },
  {
    what: 'a bomb that claims to be small',
    staged: members({ name: NAME, content: good, deflated: deflateRawSync(Buffer.alloc(50_000_000, '1')) }),
    outcome: 'ZIP_CORRUPT',
  },
  { what: 'a claim of 4 GB', staged: members({ ...member, claimedSize: 4_000_000_000 }), outcome: 'ZIP_REFUSED' },
  { what: 'no member', staged: members(), outcome: 'ZIP_REFUSED' },
  {
    what: 'a folder only',
    staged: members({ name: 'x/', content: Buffer.alloc(0), method: 0 }),
    outcome: 'ZIP_REFUSED',
  },
  {
    what: 'two members that differ',
    staged: members(member, { name: 'b.csv', content: other }),
    outcome: 'ZIP_REFUSED',
  },
  { what: 'two identical members', staged: members(member, member), outcome: ['IDENTICAL_MEMBERS'] },
  { what: 'three identical members', staged: members(member, member, member), outcome: 'ZIP_REFUSED' },
  {
    what: 'two members of which one is broken',
    staged: members(member, { ...member, deflated: deflateRawSync(other) }),
    outcome: 'ZIP_CORRUPT',
  },
  {
    what: 'a name that climbs',
    staged: members({ ...member, name: '../../../tmp/x.csv' }),
    outcome: ['MEMBER_NAME_UNUSUAL'],
  },
  { what: 'an absolute name', staged: members({ ...member, name: '/etc/passwd' }), outcome: ['MEMBER_NAME_UNUSUAL'] },
  { what: 'a name with NUL', staged: members({ ...member, name: 'a\u0000b.csv' }), outcome: ['MEMBER_NAME_UNUSUAL'] },
  {
    what: 'a symbolic link',
    staged: members({ ...member, externalAttributes: (0o120777 << 16) >>> 0 }),
    outcome: 'ZIP_REFUSED',
  },
  { what: 'an encrypted member', staged: members({ ...member, flags: 1 }), outcome: 'ZIP_REFUSED' },
  { what: 'an unknown method', staged: members({ ...member, method: 12 }), outcome: 'ZIP_REFUSED' },
  { what: 'a stored member', staged: members({ ...member, method: 0 }), outcome: [] },
  { what: 'a ZIP in the ZIP', staged: members({ ...member, content: zipOf(good) }), outcome: 'ZIP_REFUSED' },
  { what: 'a data descriptor', staged: members({ ...member, descriptor: 'true' }), outcome: [] },
  {
    what: 'a data descriptor with another CRC',
    staged: members({ ...member, descriptor: 'false-crc' }),
    outcome: 'ZIP_CORRUPT',
  },
  { what: 'ZIP64 sizes', staged: members({ ...member, zip64: true }), outcome: [] },
  { what: 'a ZIP64 directory', staged: { zip: buildZip([member], { count: 0xffff, zip64End: 1 }) }, outcome: [] },
  {
    what: 'a directory that claims four billion files',
    staged: { zip: buildZip([member], { count: 0xffff, zip64End: 4_000_000_000 }) },
    outcome: 'ZIP_REFUSED',
  },
  {
    what: 'a directory that claims 60,000 files',
    staged: { zip: buildZip([member], { count: 60_000 }) },
    outcome: 'ZIP_REFUSED',
  },
  {
    what: 'a directory that claims three files',
    staged: { zip: buildZip([member], { count: 3 }) },
    outcome: 'ZIP_CORRUPT',
  },
  { what: 'a comment at the end', staged: { zip: buildZip([member], { comment: 'made by hand' }) }, outcome: [] },
  {
    what: 'a long comment that looks like a directory',
    staged: { zip: buildZip([member], { comment: `PK\u0005\u0006${'x'.repeat(300)}` }) },
    outcome: [],
  },
  {
    what: 'a broken row in broken data: the ZIP is to blame',
    staged: members({ name: NAME, content: cell(5, 4, 'abc'), crc32: 1 }),
    outcome: 'ZIP_CORRUPT',
  },
]

describe('bad input', function () {
  this.timeout(120_000)
  let folder: EngineFolder
  let engine: EnginePool
  let reader: ParquetReader

  before(async () => {
    folder = await EngineFolder.make()
    engine = openEngine({ slots: 1, memoryBytes: 256_000_000, tempBytes: 100_000_000 })
    reader = await ParquetReader.open()
  })
  after(async () => {
    await engine.close()
    reader.close()
    await folder.remove()
  })

  async function check(staged: StagedBytes, csv: Buffer, numericType: NumericType, wanted: Outcome): Promise<void> {
    const request = await folder.request([staged], { numericType })
    const outcome = await engine.convert(request, new AbortController().signal).catch((thrown: unknown) => thrown)
    if (typeof wanted === 'string') {
      expect(outcome).to.be.instanceOf(PipelineError)
      const { code, facts, message } = outcome as PipelineError
      expect(code === 'CORRUPT' ? facts['finding'] : code, message).to.equal(wanted)
      if (code === 'CORRUPT') {
        expect(decisionOf(wanted as FindingCode)).to.equal('quarantine')
        expect(facts).to.include.keys('example', 'source', 'row')
        expect(String(facts['example'])).to.match(/^[ -~]{1,200}$/)
      }
      expect(existsSync(request.outPath), 'a file was left').to.equal(false)
      expect(existsSync(`${request.outPath}.partial`), 'a partial file was left').to.equal(false)
      return
    }
    if (outcome instanceof Error) throw outcome
    const { findings, rows } = outcome as Awaited<ReturnType<EnginePool['convert']>>
    const expected = numericType === 'decimal' ? wanted.filter((code) => code !== 'INEXACT_VALUES') : wanted
    expect(findings.map((finding) => finding.code)).to.have.members([...expected])
    const oracle = readWithOracle(csv, monthRange(HOURS.month)) ?? []
    expect(rows).to.equal(oracle.length)
    expect(await reader.rows(request.outPath)).to.deep.equal(expectedRows(oracle, numericType))
  }

  for (const numericType of ['double', 'decimal'] as const) {
    describe(`rows, in a lake of type ${numericType}`, () => {
      for (const { what, csv, double, decimal } of CASES) {
        const wanted = numericType === 'double' ? double : (decimal ?? double)
        it(`${what}: ${typeof wanted === 'string' ? wanted : `accepted ${wanted.join(', ')}`}`, () =>
          check({ zip: zipOf(csv) }, csv, numericType, wanted))
      }
    })
  }

  describe('ZIPs', () => {
    for (const { what, staged, outcome } of ZIP_CASES) {
      it(`${what}: ${typeof outcome === 'string' ? outcome : `accepted ${outcome.join(', ')}`}`, () =>
        check(staged, good, 'double', outcome))
    }
  })
})

import { expect } from 'chai'
import { certify, type CertifyInput } from '../../../src/domain/certify.js'
import type { InspectFigures } from '../../../src/domain/figures.js'
import { fromJson, toJson } from '../../../src/domain/json.js'
import { parsePartitionKey } from '../../../src/domain/partition.js'
import type { Source } from '../../../src/domain/source.js'

const us = (iso: string): bigint => BigInt(Date.parse(iso)) * 1_000n
const SHA = 'ab'.repeat(32)

const source = (lastModified: string | null): Source => ({
  key: 'data/spot/x.zip', etag: 'e', lastModified, bytes: 100, sha256Hex: SHA, checksum: 'ok', checksumHex: SHA,
  range: { fromUs: 0n, toUs: 1n },
})

const bars = (first: string, last: string, rows: number): InspectFigures => ({
  rows, bytes: 1_000, sha256Hex: SHA, logicalHash: 'h', firstOpenUs: us(first), lastOpenUs: us(last),
  lastCloseUs: us(last), ordered: true, holes: [], holesTotal: 0, missingRows: 0, offGridRows: 0, overlappingRows: 0,
  closeBeforeOpenRows: 0, ohlcViolations: 0, zeroVolumeRows: 0,
  footer: { rows, columns: [], metadata: {}, minOpenUs: us(first), maxOpenUs: us(last) },
})

function input(partition: string, inspected: InspectFigures, o: Partial<CertifyInput> = {}): CertifyInput {
  const figures = {
    rows: inspected.rows, sourceRows: inspected.rows, duplicatesDropped: 0, bytes: inspected.bytes, sha256Hex: SHA,
    logicalHash: 'h', firstOpenUs: inspected.firstOpenUs, lastOpenUs: inspected.lastOpenUs, inexactValues: 0, findings: [],
  }
  const file = { key: 'k', bytes: 1, sha256Hex: SHA }
  return {
    partition: parsePartitionKey(partition), generation: 2, numericType: 'double', sources: [source('2024-03-01T03:00:00Z')],
    bounds: null, converted: { folder: 'f', file, revision: 'r', figures }, inspected, lateDays: 45,
    now: new Date('2024-03-02T00:00:00Z'), ...o,
  }
}

const verdict = (partition: string, first: string, last: string, rows: number, modified = '2024-03-01T03:00:00Z'): string =>
  certify(input(partition, bars(first, last, rows), { sources: [source(modified)] })).verdict

describe('certificates', () => {
  it('a whole month is verified and lacks nothing', () => {
    const { data, gaps, findings } = certify(input('spot-klines/A/1h/2024-02', bars('2024-02-01T00:00Z', '2024-02-29T23:00Z', 696)))
    expect([data.expectedRows, data.missingRows, gaps, findings]).to.deep.equal([696, 0, [], []])
  })

  it('missing bars are those of the holes and of both ends of the month', () => {
    const inspected = { ...bars('2024-02-02T00:00Z', '2024-02-29T22:00Z', 669), holesTotal: 1, missingRows: 2 }
    const { data } = certify(input('spot-klines/A/1h/2024-02', inspected))
    expect(data.missingRows).to.equal(24 + 2 + 1)
    expect(data.rows + data.missingRows).to.equal(data.expectedRows)
  })

  it('three-day bars of another phase than BTCUSDT have gaps where bars are missing, and no others', () => {
    const first = '2024-03-01T00:00Z'
    const certified = (partition: string, from: string, last: string, o: Partial<InspectFigures>) => {
      const sources = [source('2024-04-03T03:00:00Z')]
      const { data, gaps, verdict: is } = certify(input(partition, { ...bars(from, last, 10), ...o }, { sources }))
      const days = gaps.map((gap) => new Date(Number(gap.fromUs / 1_000n)).toISOString().slice(0, 10))
      return [is, data.expectedRows, data.missingRows, days]
    }
    const phases = [
      [0, '2024-03-01', '2024-03-31', 11], [1, '2024-03-02', '2024-03-29', 10], [2, '2024-03-03', '2024-03-30', 10],
    ] as const
    const march = 'spot-klines/A/3d/2024-03'
    for (const [phase, from, last, rows] of phases) {
      expect(certified(march, `${from}T00:00Z`, `${last}T00:00Z`, { rows }), String(phase))
        .to.deep.equal(['verified', rows, 0, []])
      const lacksLast = new Date(Date.parse(last) - 3 * 86_400_000).toISOString().slice(0, 10)
      expect(certified(march, `${from}T00:00Z`, `${lacksLast}T00:00Z`, { rows: rows - 1 }), `${phase}, short`)
        .to.deep.equal(['provisional', rows, 1, [last]])
    }
    const holes = [{ fromUs: us('2024-03-10T00:00Z'), toUs: us('2024-03-13T00:00Z'), missing: 1 }]
    expect(certified(march, first, '2024-03-28T00:00Z', { rows: 9, holesTotal: 1, missingRows: 1, holes }))
      .to.deep.equal(['provisional', 11, 2, ['2024-03-10', '2024-03-31']])
  })

  it('a 1w month that lacks its last week is provisional', () => {
    expect(verdict('spot-klines/A/1w/2024-02', '2024-02-05T00:00Z', '2024-02-19T00:00Z', 3)).to.equal('provisional')
    expect(verdict('spot-klines/A/1w/2024-02', '2024-02-05T00:00Z', '2024-02-26T00:00Z', 4, '2024-03-05T03:00:00Z')).to.equal('verified')
  })

  it('a file that was written before its last bar closed is provisional', () => {
    expect(verdict('spot-klines/A/1w/2024-02', '2024-02-05T00:00Z', '2024-02-26T00:00Z', 4)).to.equal('provisional')
    expect(verdict('spot-klines/A/1mo/2024-02', '2024-02-01T00:00Z', '2024-02-01T00:00Z', 1)).to.equal('verified')
    expect(verdict('spot-klines/A/1mo/2024-02', '2024-02-01T00:00Z', '2024-02-01T00:00Z', 1, '2024-02-20T00:00:00Z')).to.equal('provisional')
    expect(verdict('spot-klines/A/3d/2024-02', '2024-02-01T00:00Z', '2024-02-25T00:00Z', 9)).to.equal('provisional')
  })

  it('bars of a finer interval do not pass for a month of this one', () => {
    const codes = (rows: number): string[] =>
      certify(input('spot-klines/A/1h/2024-02', bars('2024-02-01T00:00Z', '2024-02-29T23:00Z', rows))).findings.map(({ code }) => code)
    expect(codes(41_760)).to.deep.equal(['CROWDED_ROWS'])
    expect(codes(697)).to.deep.equal([])
  })

  it('the deterministic part has the same hash whenever it is issued', () => {
    const one = input('spot-klines/A/1h/2024-02', bars('2024-02-01T00:00Z', '2024-02-29T23:00Z', 696))
    const later = certify({ ...one, now: new Date('2026-01-01T00:00:00Z'), generation: 9, sources: [source(null)] })
    expect(certify(one).dataHash).to.equal(later.dataHash)
    expect(certify(one).dataHash).to.match(/^[0-9a-f]{64}$/)
  })

  it('survives a trip through JSON with its instants', () => {
    const certificate = certify(input('spot-klines/A/1h/2024-02', bars('2024-02-02T00:00Z', '2024-02-29T23:00Z', 672)))
    expect(fromJson(toJson(certificate))).to.deep.equal(certificate)
    expect(certificate.gaps).to.have.length(1)
  })
})

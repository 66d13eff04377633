import { expect } from 'chai'
import type { ParquetFooter } from '../../../src/domain/parquet-footer.js'
import { filterRanges } from '../../../src/lake/file-shape.js'

const CHUNK = { column: 'a', uncompressedBytes: 0, codec: 'zstd', min: null, max: null, nulls: null }

const footerOf = (starts: readonly number[], start: number): ParquetFooter => ({
  bytes: start + 100,
  start,
  rows: starts.length,
  columns: [{ name: 'a', type: 'BIGINT' }],
  rowGroups: starts.map((from) => ({ rows: 1, chunks: [{ ...CHUNK, start: from, end: from + 1 }] })),
  metadata: {},
})

describe('Bloom filters of files of other writers', () => {
  it('without a length end before the next filter, chunk or the footer', () => {
    const filters = [50n, 20n, 80n].map((start) => ({ column: 'a', start, bytes: null }))
    expect(filterRanges(filters, footerOf([4, 70], 100))).to.deep.equal([
      { column: 'a', start: 50, end: 70 },
      { column: 'a', start: 20, end: 50 },
      { column: 'a', start: 80, end: 100 },
    ])
  })

  it('outside of the file are none', () => {
    const filters = [
      { column: 'a', start: -1n, bytes: 8n },
      { column: 'a', start: 0n, bytes: null },
      { column: 'a', start: 90n, bytes: 11n },
      { column: 'a', start: 50n, bytes: -1n },
      { column: 'a', start: 100n, bytes: null },
      { column: 'a', start: 1n << 60n, bytes: null },
      { column: 'a', start: 90n, bytes: 10n },
    ]
    expect(filterRanges(filters, footerOf([4], 100))).to.deep.equal([{ column: 'a', start: 90, end: 100 }])
  })

  it('are as many as there are: 200,000', () => {
    const filters = Array.from({ length: 200_000 }, (_, n) => ({ column: 'a', start: BigInt(4 + n), bytes: null }))
    const found = filterRanges(filters, footerOf([4], 1_000_000))
    expect(found).to.have.length(200_000)
    expect(found[7]).to.deep.equal({ column: 'a', start: 11, end: 12 })
    expect(found.at(-1)?.end).to.equal(1_000_000)
  })
})
